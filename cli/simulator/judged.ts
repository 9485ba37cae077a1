import type { Engine } from './controller.ts'
import { InvariantBroken } from './invariants/broken.ts'
import { checkConverges } from './invariants/converging.ts'
import { checkWhole } from './invariants/ending.ts'
import { judgingWatch } from './invariants/watch.ts'
import { startWorld } from './run.ts'
import type { Scenario } from './scenario.ts'
import { together } from './together.ts'
import type { Watch } from './world-model.ts'
import { runUntil } from './world.ts'

export type Verdict = {
  /** Null: every invariant held. */
  readonly broken: { readonly invariant: number | null; readonly message: string } | null
  readonly hostHours: number
  /** Since the beginning. */
  readonly endedAtMs: number
  readonly steps: number
}

const hourMs = 3_600_000

/** One whole life of a fleet, judged at every step and in full at its end. */
export function judge(scenario: Scenario, engine: Engine, also: readonly Watch[] = []): Verdict {
  const clocksAreTrue = !scenario.faults.some(({ kind }) => kind === 'controllerClock')
  const world = startWorld(scenario, engine, together([...also, judgingWatch(clocksAreTrue)]))
  const verdict = (broken: Verdict['broken']): Verdict => ({
    broken,
    hostHours: (world.hosts.size * world.elapsedMs) / hourMs,
    endedAtMs: world.elapsedMs,
    steps: world.steps,
  })
  try {
    runUntil(world, scenario.durationMs)
    checkWhole(world)
    checkConverges(world)
    checkWhole(world)
    return verdict(null)
  } catch (error) {
    if (error instanceof InvariantBroken)
      return verdict({ invariant: error.invariant, message: error.message })
    // An engine that throws is as wrong as one that grants too much.
    return verdict({
      invariant: null,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }
}
