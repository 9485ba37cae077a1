import type { Decision, Write } from '../../controller/rollout/decision.ts'
import { put } from './agenda.ts'
import type { Agenda } from './agenda.ts'
import type { Cause, Controller, Office } from './controller.ts'
import type { SimulatedHost, Surroundings } from './host-model.ts'
import type { NetworkRates, Scenario } from './scenario.ts'

/** Told of everything that happens, in order; throws to end the run. */
export type Watch = {
  readonly onDecision: (world: World, cause: Cause, decision: Decision) => void
  readonly onWritten: (world: World, writes: readonly Write[]) => void
  readonly onSettled: (world: World, cause: Cause, decision: Decision) => void
  /** A host's boot default moved to what a plan told it. */
  readonly onActivated: (world: World, host: SimulatedHost) => void
  readonly onBooted: (world: World, host: SimulatedHost) => void
  readonly onState: (world: World, host: SimulatedHost) => void
  /** A fault begins or an operator acts. */
  readonly onHappening: (world: World, what: string) => void
}

export type World = {
  readonly scenario: Scenario
  readonly agenda: Agenda
  readonly controller: Controller
  readonly office: Office
  readonly around: Surroundings
  readonly hosts: Map<string, SimulatedHost>
  readonly watch: Watch
  elapsedMs: number
  rates: NetworkRates
  ratesUntilMs: number
  /** Measurements and approvals that somebody is at. */
  readonly errands: Set<string>
  /** Events taken, to see whether a world comes to rest. */
  steps: number
}

export const quietWatch: Watch = {
  onDecision: () => undefined,
  onWritten: () => undefined,
  onSettled: () => undefined,
  onActivated: () => undefined,
  onBooted: () => undefined,
  onState: () => undefined,
  onHappening: () => undefined,
}

export const faultless: NetworkRates = { lost: 0, doubled: 0, late: 0 }

/** Whole milliseconds, as clocks count them. */
export function later(world: World, ms: number, run: () => void): void {
  put(world.agenda, world.elapsedMs + Math.ceil(ms), run)
}
