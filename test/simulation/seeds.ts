import { apply, explain, open } from '../../controller/rollout/engine.ts'
import type { Engine } from '../../cli/simulator/controller.ts'
import { randomScenario, testSizes } from '../../cli/simulator/generate.ts'
import { judge } from '../../cli/simulator/judged.ts'
import { readable, shrink } from '../../cli/simulator/shrink.ts'

/** The engine that ships. */
export const engine: Engine = { open, apply, explain }

export type Totals = { seeds: number; hosts: number; hostHours: number; steps: number; seconds: number }

/**
 * Lives through every seed of a range, or through `SEED` alone, and returns what was seen; a seed that breaks an
 * invariant is shrunk and thrown as text that a person can read.
 */
export function liveThrough(seeds: Iterable<number>): Totals {
  const totals: Totals = { seeds: 0, hosts: 0, hostHours: 0, steps: 0, seconds: 0 }
  const beganMs = performance.now()
  for (const seed of seeds) {
    const scenario = randomScenario(seed, testSizes)
    const { broken, hostHours, steps } = judge(scenario, engine)
    if (broken !== null) {
      const smallest = shrink(scenario, engine)
      throw new Error(
        `${broken.message}\n\n${readable(smallest, engine)}\nReplay: SEED=${seed} make test-simulation`,
      )
    }
    totals.seeds += 1
    totals.hosts += scenario.hosts.length
    totals.hostHours += hostHours
    totals.steps += steps
  }
  totals.seconds = (performance.now() - beganMs) / 1000
  return totals
}

const hoursOfDay = 24

export function described({ hostHours, hosts, seconds, seeds, steps }: Totals): string {
  const daysPerSecond = Math.round(hostHours / hoursOfDay / Math.max(seconds, 0.001))
  return [
    `${seeds} seeds, ${hosts} hosts, ${Math.round(hostHours)} host-hours, ${steps} events in ${seconds.toFixed(1)} s:`,
    `${daysPerSecond} simulated host-days per second`,
  ].join(' ')
}

/** Half of what the two files promise together; a seed that is replayed alone promises nothing. */
export function promised(): { readonly seeds: number; readonly hostHours: number } {
  return process.env['SEED'] === undefined ? { seeds: 1000, hostHours: 500_000 } : { seeds: 0, hostHours: 0 }
}

/** Every second seed from `first` on: two files share them, and so two cores. */
export function* everySecond(first: number, count: number): Generator<number> {
  const only = process.env['SEED']
  if (only !== undefined) {
    if (Number(only) % 2 === first % 2) yield Number(only)
    return
  }
  for (let seed = first; seed < first + 2 * count; seed += 2) yield seed
}
