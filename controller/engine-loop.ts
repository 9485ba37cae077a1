import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { consequences } from './consequence.ts'
import { ControllerError } from './errors.ts'
import { createEventQueue } from './event-queue.ts'
import { apply, open } from './rollout/engine.ts'
import type { RolloutEngineState } from './rollout/state.ts'
import type {
  Decision,
  EnrolmentRecord,
  Now,
  PlanIntent,
  Records,
  RolloutEvent,
  Write,
} from './rollout/types.ts'

/** Where decisions become durable. */
export type DecisionStore = {
  load(signal: AbortSignal): Promise<Records>
  commit(
    writes: readonly Write[],
    options: { readonly term: number; readonly signal: AbortSignal },
  ): Promise<void>
}

export type PublishContext = {
  readonly term: number
  readonly nowMs: number
  readonly acceptedCounterOf: (hostId: string) => number | null
  readonly signal: AbortSignal
}

export type PlanPublisher = {
  publish(intents: readonly PlanIntent[], context: PublishContext): Promise<number>
  renew(context: PublishContext): Promise<number>
}

export type EngineLoopOptions = {
  readonly store: DecisionStore
  readonly openPublisher: (signal: AbortSignal) => Promise<PlanPublisher>
  readonly term: number
  readonly logger: Logger
  readonly onChange: () => void
  /** Hosts with a stream: the engine keeps connections in memory only and is told again when it is opened anew. */
  readonly connectedHosts: () => Iterable<string>
}

export type EngineLoop = {
  /** Takes events until `signal` aborts, repairing itself from the store after every failed write. */
  run(signal: AbortSignal): Promise<void>
  /** Resolves when what the event decided is durable and published. */
  submit(event: RolloutEvent): Promise<void>
  /** Null until the records were read. */
  readonly state: RolloutEngineState | null
  enrolment(hostId: string): EnrolmentRecord | null
  enrolments(): readonly EnrolmentRecord[]
}

type Session = {
  state: RolloutEngineState
  wakeInMs: number | null
  calledAtMs: number
  renewAtMs: number
  readonly publisher: PlanPublisher
}

const REPAIR_DELAY_MAX_MS = 5_000
const RENEW_EVERY_MS = 60 * 60 * 1000

export function createEngineLoop(options: EngineLoopOptions): EngineLoop {
  const { store, term, logger } = options
  const queue = createEventQueue()
  const enrolments = new Map<string, EnrolmentRecord>()
  const acceptedCounters = new Map<string, number>()
  let session: Session | null = null
  let wanted: Extract<RolloutEvent, { readonly kind: 'wanted' }> | null = null

  function publishContext(signal: AbortSignal): PublishContext {
    const acceptedCounterOf = (hostId: string): number | null => acceptedCounters.get(hostId) ?? null
    return { term, nowMs: Date.now(), acceptedCounterOf, signal }
  }

  function remember(event: RolloutEvent): void {
    if (event.kind === 'wanted') wanted = event
    if (event.kind === 'enrolled') enrolments.set(event.enrolment.hostId, event.enrolment)
    if (event.kind === 'report' && event.report.plan !== null) {
      acceptedCounters.set(event.hostId, event.report.plan.counter)
    }
  }

  /** Durable before published: a plan that the store forgot could never be taken back. */
  async function settle(current: Session, decision: Decision, signal: AbortSignal): Promise<void> {
    if (decision.writes.length > 0) await store.commit(decision.writes, { term, signal })
    if (decision.publishes.length > 0)
      await current.publisher.publish(decision.publishes, publishContext(signal))
    current.wakeInMs = decision.wakeInMs
    options.onChange()
  }

  async function step(current: Session, event: RolloutEvent, signal: AbortSignal): Promise<void> {
    remember(event)
    const next = apply(current.state, event, nowSince(current))
    current.state = next.state
    await settle(current, next.decision, signal)
  }

  async function openSession(signal: AbortSignal): Promise<Session> {
    const [records, publisher] = await Promise.all([store.load(signal), options.openPublisher(signal)])
    for (const record of records.enrolments) enrolments.set(record.hostId, record)
    for (const { hostId, report } of records.hosts) {
      if (report.plan !== null) acceptedCounters.set(hostId, report.plan.counter)
    }
    const opened = open(records, { wallMs: Date.now(), elapsedMs: 0 })
    const calledAtMs = performance.now()
    const renewAtMs = calledAtMs + RENEW_EVERY_MS
    const current: Session = { state: opened.state, wakeInMs: null, calledAtMs, renewAtMs, publisher }
    await settle(current, opened.decision, signal)
    for (const hostId of options.connectedHosts()) {
      await step(current, { kind: 'connection', hostId, connected: true }, signal)
    }
    if (wanted !== null) await step(current, wanted, signal)
    return current
  }

  async function runSession(current: Session, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await queue.wait(current.wakeInMs, signal)
      if (signal.aborted) return
      const item = queue.take()
      try {
        await step(current, item?.event ?? { kind: 'timer' }, signal)
      } catch (error) {
        if (item !== null) queue.putBack(item)
        throw error
      }
      for (const waiter of item?.waiters ?? []) waiter.resolve()
      if (performance.now() < current.renewAtMs) continue
      current.renewAtMs = performance.now() + RENEW_EVERY_MS
      await current.publisher.renew(publishContext(signal))
    }
  }

  return {
    async run(signal) {
      try {
        while (!signal.aborted) {
          try {
            session = await openSession(signal)
            logger.info({ term }, 'engine open')
            await runSession(session, signal)
          } catch (error) {
            if (signal.aborted) return
            if (!isRepairable(error)) throw error
            logger.warn(
              { code: error.code, error: error.message },
              'decision not durable, reading the store again',
            )
            await sleep(Math.random() * REPAIR_DELAY_MAX_MS, undefined, { signal }).catch(() => undefined)
          }
        }
      } finally {
        session = null
        queue.rejectAll(
          new ControllerError('LeaseLost', 'deciding: this controller stopped leading; try again'),
        )
      }
    },
    submit: (event) => queue.submit(event),
    get state() {
      return session?.state ?? null
    },
    enrolment: (hostId) => enrolments.get(hostId) ?? null,
    enrolments: () => [...enrolments.values()],
  }
}

function isRepairable(error: unknown): error is ControllerError {
  return error instanceof ControllerError && consequences[error.code] === 'retry'
}

function nowSince(current: Session): Now {
  const calledAtMs = performance.now()
  const elapsedMs = calledAtMs - current.calledAtMs
  current.calledAtMs = calledAtMs
  return { wallMs: Date.now(), elapsedMs }
}
