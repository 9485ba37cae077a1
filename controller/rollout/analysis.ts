import type { Analysis } from '../desired-state/types.ts'
import { fleetBlock } from './budget.ts'
import { pauseRollout } from './pause.ts'
import { currentRollout, fleetOf, writeRollout } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import type { MeasurementRecord, RolloutRecord, WaveRecord } from './records.ts'
import type { RolloutEvent } from './events.ts'
import type { WantedMeasurement } from './decision.ts'
import { activeWaveIndex } from './waves.ts'

type Measured = Extract<RolloutEvent, { readonly kind: 'measured' }>

function recordOf(wave: WaveRecord, analysis: Analysis): MeasurementRecord {
  const known = wave.measured.find((each) => each.analysis === analysis.name)
  return (
    known ?? {
      analysis: analysis.name,
      passed: 0,
      failed: 0,
      inconclusive: 0,
      passedAfterSoak: false,
      last: null,
      detail: '',
      dueInMs: 0,
    }
  )
}

/** What was measured before proves nothing of the soak that begins now; failures stay counted. */
export function forSoak(wave: WaveRecord, analyses: readonly Analysis[]): readonly MeasurementRecord[] {
  return analyses.map((analysis) => ({
    ...recordOf(wave, analysis),
    passedAfterSoak: false,
    dueInMs: analysis.intervalMs,
  }))
}

/** From here on only new measurements count, so each is due at once. */
export function forGate(wave: WaveRecord, analyses: readonly Analysis[]): readonly MeasurementRecord[] {
  return analyses.map((analysis) => ({ ...recordOf(wave, analysis), passedAfterSoak: false, dueInMs: 0 }))
}

/** Asked again at once, and failures until now are no longer held against the wave. */
export function forgiven(wave: WaveRecord): readonly MeasurementRecord[] {
  return wave.measured.map((each) => ({ ...each, failed: 0, dueInMs: 0 }))
}

export function hasPassed(wave: WaveRecord, analyses: readonly Analysis[]): boolean {
  return analyses.every((analysis) => recordOf(wave, analysis).passedAfterSoak)
}

/** Why the wave fails by what was measured; null: it does not. */
export function analysisFailure(wave: WaveRecord, analyses: readonly Analysis[]): string | null {
  for (const analysis of analyses) {
    const { detail, failed } = recordOf(wave, analysis)
    if (failed > analysis.failureLimit) {
      return `analysis "${analysis.name}" failed ${failed} of at most ${analysis.failureLimit} times in wave "${wave.name}": ${detail}`
    }
  }
  return null
}

export function passTime(wave: WaveRecord, elapsedMs: number): readonly MeasurementRecord[] {
  return wave.measured.map((each) => ({ ...each, dueInMs: Math.max(0, each.dueInMs - elapsedMs) }))
}

/** Until the next measurement is due; null: none will be. What is due already waits for its answer, not for time. */
export function timeToMeasure(wave: WaveRecord): number | null {
  const waits = wave.measured.filter((each) => isWanted(wave, each) && each.dueInMs > 0)
  return waits.length === 0 ? null : Math.min(...waits.map(({ dueInMs }) => dueInMs))
}

/** All through the soak, and after it until it passed once. */
function isWanted(wave: WaveRecord, { passedAfterSoak }: MeasurementRecord): boolean {
  return wave.state === 'Soaking' || (wave.state === 'Analysing' && !passedAfterSoak)
}

function isDue(wave: WaveRecord, measured: MeasurementRecord): boolean {
  return isWanted(wave, measured) && measured.dueInMs === 0
}

function activeWave(rollout: RolloutRecord): WaveRecord | null {
  if (rollout.state.kind !== 'Progressing') return null
  return rollout.waves[activeWaveIndex(rollout.waves)] ?? null
}

export function dueMeasurements(state: RolloutEngineState, fleet: Fleet): readonly WantedMeasurement[] {
  const rollout = currentRollout(state, fleet)?.record
  const wave = rollout && activeWave(rollout)
  if (!rollout || !wave || fleetBlock(state, fleet) !== null) return []
  return rollout.strategy.analysis
    .filter((analysis) => isDue(wave, recordOf(wave, analysis)))
    .map((analysis) => ({ rolloutId: rollout.id, wave: wave.name, analysis }))
}

/**
 * Only an answer that is waited for counts: none of an earlier wave, of a time when nothing was asked, or of the
 * same question twice. After the soak an answer that proves nothing pauses, since going on would be a guess.
 */
export function takeMeasurement(state: RolloutEngineState, changes: Changes, event: Measured): void {
  const rollout = state.rollouts.get(event.rolloutId)
  if (rollout === undefined) return
  const { record } = rollout
  const wave = activeWave(record)
  const analysis = record.strategy.analysis.find(({ name }) => name === event.analysis)
  if (!wave || !analysis || wave.name !== event.wave) return
  if (fleetOf(state, record.fleet).record.rolloutId !== record.id) return
  const before = recordOf(wave, analysis)
  if (!isDue(wave, before)) return
  const { detail, kind } = event.outcome
  const after: MeasurementRecord = {
    ...before,
    passed: before.passed + Number(kind === 'Passed'),
    failed: before.failed + Number(kind === 'Failed'),
    inconclusive: before.inconclusive + Number(kind === 'Inconclusive'),
    passedAfterSoak: wave.state === 'Analysing' && kind === 'Passed',
    last: kind,
    detail,
    dueInMs: analysis.intervalMs,
  }
  const measured = [...wave.measured.filter((each) => each.analysis !== analysis.name), after]
  const index = record.waves.indexOf(wave)
  writeRollout(rollout, changes, { ...record, waves: record.waves.with(index, { ...wave, measured }) })
  if (kind !== 'Inconclusive' || wave.state !== 'Analysing') return
  const message = `analysis "${analysis.name}" proves nothing in wave "${wave.name}": ${detail}`
  pauseRollout(rollout, changes, { kind: 'Inconclusive', message, atMs: changes.now.wallMs })
}
