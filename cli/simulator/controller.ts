import type { Explanation } from '../../controller/rollout/explain.ts'
import type { RolloutEngineState } from '../../controller/rollout/engine.ts'
import type { Decision, Write } from '../../controller/rollout/decision.ts'
import type { EnrolmentRecord, Records } from '../../controller/rollout/records.ts'
import type { Now } from '../../controller/rollout/now.ts'
import type { RolloutEvent } from '../../controller/rollout/events.ts'
import type { SignedPlan } from './plan-intake.ts'
import { sign } from './plan-log.ts'
import { emptyStore, persist, recordsOf, stepsOf } from './store.ts'
import type { Store } from './store.ts'
import type { Wanted } from './scenario.ts'

type Step = { readonly state: RolloutEngineState; readonly decision: Decision }

/** The engine, or one that breaks a rule on purpose. */
export type Engine = {
  readonly open: (records: Records, now: Now) => Step
  readonly apply: (state: RolloutEngineState, event: RolloutEvent, now: Now) => Step
  readonly explain: (state: RolloutEngineState, hostId: string, now: Now) => Explanation
}

export type Cause = RolloutEvent | { readonly kind: 'open' }

/** Writes that are lost because of what happens to the next decision that has any. */
export type Cut = {
  readonly kind: 'controllerCrash' | 'storeRestart'
  readonly afterWrites: number
  readonly downMs: number
}

/** A store and, while `state` is not null, a controller that leads. */
export type Controller = {
  readonly engine: Engine
  readonly store: Store
  readonly plans: Map<string, SignedPlan>
  readonly connected: Set<string>
  state: RolloutEngineState | null
  calledAtMs: number
  /** Number of the last settled decision: a wake-up for an earlier one is void. */
  settled: number
  term: number
  clockMs: number
  cut: Cut | null
  wanted: Wanted | null
  /** What waits for the store to come back. */
  waiting: RolloutEvent[]
}

/** What a controller needs of the world around it. */
export type Office = {
  readonly startMs: number
  readonly elapsedMs: () => number
  readonly after: (ms: number, run: () => void) => void
  /** Before it is durable. */
  readonly onDecision: (cause: Cause, decision: Decision) => void
  readonly onWritten: (writes: readonly Write[]) => void
  /** All writes are durable, and the engine may be asked. */
  readonly onSettled: (cause: Cause, decision: Decision) => void
  readonly publish: (plan: SignedPlan) => void
  readonly onUp: () => void
  readonly onDown: () => void
}

export function newController(engine: Engine): Controller {
  return {
    engine,
    store: emptyStore(),
    plans: new Map(),
    connected: new Set(),
    state: null,
    calledAtMs: 0,
    settled: 0,
    term: 0,
    clockMs: 0,
    cut: null,
    wanted: null,
    waiting: [],
  }
}

export function nowOf(controller: Controller, office: Office): Now {
  const elapsedMs = office.elapsedMs()
  return {
    wallMs: office.startMs + elapsedMs + controller.clockMs,
    elapsedMs: elapsedMs - controller.calledAtMs,
  }
}

/** One event at a time: apply, make durable, publish. Nobody hears it while nobody leads. */
export function dispatch(controller: Controller, office: Office, event: RolloutEvent): void {
  if (event.kind === 'enrolled') enrol(controller.store, event.enrolment)
  if (controller.state === null) {
    controller.waiting.push(event)
    return
  }
  const now = nowOf(controller, office)
  controller.calledAtMs = office.elapsedMs()
  const step = controller.engine.apply(controller.state, event, now)
  controller.state = step.state
  settle(controller, office, { cause: event, decision: step.decision })
}

/** The registration of a host is a write of its own, before the engine hears of it. */
function enrol(store: Store, enrolment: EnrolmentRecord): void {
  store.enrolments.set(enrolment.hostId, enrolment)
}

type Decided = { readonly cause: Cause; readonly decision: Decision }

function settle(controller: Controller, office: Office, { cause, decision }: Decided): void {
  const writes = decision.writes.flatMap(stepsOf)
  office.onDecision(cause, decision)
  controller.settled += 1
  if (controller.cut !== null && writes.length > 0) {
    breakOff(controller, office, { cause, writes })
    return
  }
  for (const write of writes) persist(controller.store, write)
  office.onWritten(writes)
  for (const intent of decision.publishes) {
    const { term } = controller
    const { wallMs } = nowOf(controller, office)
    const plan = sign(intent, controller.plans.get(intent.hostId), {
      term,
      wallMs,
      acceptedCounter: acceptedCounter(controller, intent.hostId),
    })
    if (plan === null) continue
    controller.plans.set(intent.hostId, plan)
    office.publish(plan)
  }
  office.onSettled(cause, decision)
  wakeLater(controller, office, decision.wakeInMs)
}

function acceptedCounter(controller: Controller, hostId: string): number {
  return controller.store.hosts.get(hostId)?.report.plan?.counter ?? 0
}

function wakeLater(controller: Controller, office: Office, wakeInMs: number | null): void {
  if (wakeInMs === null) return
  const { settled } = controller
  office.after(wakeInMs, () => {
    if (controller.settled === settled && controller.state !== null) {
      dispatch(controller, office, { kind: 'timer' })
    }
  })
}

type Broken = { readonly cause: Cause; readonly writes: readonly Write[] }

function breakOff(controller: Controller, office: Office, { cause, writes }: Broken): void {
  const { afterWrites, downMs, kind } = controller.cut as Cut
  controller.cut = null
  const durable = writes.slice(0, afterWrites % (writes.length + 1))
  for (const write of durable) persist(controller.store, write)
  office.onWritten(durable)
  // A loop that repairs itself puts the event back; a process that ended forgot it.
  if (kind === 'storeRestart' && cause.kind !== 'open' && cause.kind !== 'timer') {
    controller.waiting.unshift(cause)
  }
  stop(controller, office, kind)
  office.after(downMs, () => start(controller, office))
}

export function stop(controller: Controller, office: Office, kind: Cut['kind']): void {
  controller.state = null
  if (kind === 'storeRestart') return
  controller.waiting = []
  controller.connected.clear()
  office.onDown()
}

/** Who was enrolled, from here on known to nobody. */
export function wipe(controller: Controller): readonly EnrolmentRecord[] {
  const { plans, store } = controller
  const enrolments = [...store.enrolments.values()]
  for (const records of [store.fleets, store.rollouts, store.grants, store.hosts, store.enrolments, plans])
    records.clear()
  store.everyFleet = null
  return enrolments
}

export function isLeading({ state }: Controller): boolean {
  return state !== null
}

/** Reads the records, hears who is connected, and is told again what git says. */
export function start(controller: Controller, office: Office): void {
  if (controller.state !== null) return
  controller.term += 1
  const { wallMs } = nowOf(controller, office)
  const opened = controller.engine.open(structuredClone(recordsOf(controller.store)), {
    wallMs,
    elapsedMs: 0,
  })
  controller.state = opened.state
  controller.calledAtMs = office.elapsedMs()
  const { waiting } = controller
  controller.waiting = []
  settle(controller, office, { cause: { kind: 'open' }, decision: opened.decision })
  for (const hostId of controller.connected) {
    dispatch(controller, office, { kind: 'connection', hostId, connected: true })
  }
  if (controller.wanted !== null) dispatch(controller, office, { kind: 'wanted', ...controller.wanted })
  // What git said before is not said again after what it says now.
  for (const event of waiting) if (event.kind !== 'wanted') dispatch(controller, office, event)
  if (isLeading(controller)) office.onUp()
}
