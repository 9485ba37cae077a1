import type { Logger } from 'pino'
import type { Measurer } from './analysis/measure.ts'
import type { Outcome } from './analysis/outcome.ts'
import type { Decision } from './rollout/decision.ts'
import type { RolloutEvent } from './rollout/events.ts'

type Measures = Decision['measures']
type Measure = Measures[number]

const IN_FLIGHT_MAX = 16

export type Measuring = {
  /**
   * Starts what is asked for and not under way yet. What finds no place is asked for again by the decision that
   * follows the next measurement.
   */
  readonly want: (measures: Measures) => void
}

/** One measurement in flight for each rollout, wave and analysis. Whatever goes wrong, the engine is told or asks again. */
export function createMeasuring(options: {
  readonly measure: Measurer['measure']
  readonly submit: (event: RolloutEvent) => Promise<void>
  readonly logger: Logger
  readonly signal: AbortSignal
}): Measuring {
  const { logger, measure, signal, submit } = options
  const inFlight = new Set<string>()

  async function once(wanted: Measure): Promise<void> {
    const { rolloutId, wave, analysis } = wanted
    const outcome = await attempt(analysis).finally(() => inFlight.delete(keyOf(wanted)))
    logger.info({ rolloutId, wave, analysis: analysis.name, outcome: outcome.kind }, 'measured')
    await submit({ kind: 'measured', rolloutId, wave, analysis: analysis.name, outcome })
  }

  function attempt(analysis: Measure['analysis']): Promise<Outcome> {
    return measure(analysis, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      logger.error({ err: error, analysis: analysis.name }, 'measuring failed unexpectedly')
      return { kind: 'Inconclusive', detail: 'measuring failed unexpectedly; the controller’s log says why' }
    })
  }

  return {
    want(measures) {
      for (const wanted of measures) {
        const key = keyOf(wanted)
        if (signal.aborted || inFlight.has(key) || inFlight.size >= IN_FLIGHT_MAX) continue
        inFlight.add(key)
        // Not taken in: this controller leads no more, and whoever does measures anew.
        once(wanted).catch((error: unknown) => logger.debug({ error: String(error) }, 'measurement dropped'))
      }
    },
  }
}

function keyOf({ rolloutId, wave, analysis }: Measure): string {
  return `${rolloutId} ${wave} ${analysis.name}`
}
