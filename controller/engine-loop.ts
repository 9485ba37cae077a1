import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { consequences } from './consequence.ts'
import { ControllerError } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { apply, open } from './rollout/engine.ts'
import type { RolloutEngineState } from './rollout/state.ts'
import type { Decision, PlanIntent, Write } from './rollout/decision.ts'
import type { EnrolmentRecord, Records } from './rollout/records.ts'
import type { Now } from './rollout/now.ts'
import type { RolloutEvent } from './rollout/events.ts'

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
  /** Highest term in the plans that were there at the start. */
  readonly newestTerm: number
  publish(intents: readonly PlanIntent[], context: PublishContext): Promise<number>
  renew(context: PublishContext): Promise<number>
  /** Signs one host's plan again when the host is ahead of it, as after the loss of the stored plans. */
  forget(hostId: string): void
  catchUp(hostId: string, context: PublishContext): Promise<number>
}

export type EngineLoopOptions = {
  readonly store: DecisionStore
  readonly openPublisher: (signal: AbortSignal) => Promise<PlanPublisher>
  readonly term: number
  readonly logger: Logger
  readonly onChange: () => void
  /** Told what is to be measured now, again and again until `measured` events answer. */
  readonly onMeasures: (measures: Decision['measures']) => void
  /** Told the term of a later leader that stored records or plans show. */
  readonly onNewerTerm: (term: number) => void
  /** Hosts with a stream: the engine keeps connections in memory only and is told again when it is opened anew. */
  readonly connectedHosts: () => Iterable<string>
  /** An enrolment that was read, with what is known beside the store. Default: as it is. */
  readonly trusted?: (record: EnrolmentRecord) => EnrolmentRecord
}

type Session = {
  state: RolloutEngineState
  wakeInMs: number | null
  calledAtMs: number
  renewAtMs: number
  readonly publisher: PlanPublisher
}

const OPEN_POLL_MS = 50
const REPAIR_DELAY_MAX_MS = 2_000
const RENEW_EVERY_MS = 60 * 60 * 1000
/** Some may be left. */
const RENEW_REST_MS = 1_000

/** One event at a time: apply, make durable, publish, then tell whoever waits. */
export class EngineLoop {
  readonly #options: EngineLoopOptions
  readonly #queue = new EventQueue()
  readonly #enrolments = new Map<string, EnrolmentRecord>()
  readonly #acceptedCounters = new Map<string, number>()
  #session: Session | null = null
  #wanted: Extract<RolloutEvent, { readonly kind: 'wanted' }> | null = null

  constructor(options: EngineLoopOptions) {
    this.#options = options
  }

  /** Null until the records were read. */
  get state(): RolloutEngineState | null {
    return this.#session?.state ?? null
  }

  /** Resolves once the records are read; they may just be read anew. */
  async opened(signal: AbortSignal): Promise<RolloutEngineState> {
    while (this.#session === null) await sleep(OPEN_POLL_MS, undefined, { signal })
    return this.#session.state
  }

  enrolment(hostId: string): EnrolmentRecord | null {
    return this.#enrolments.get(hostId) ?? null
  }

  enrolments(): readonly EnrolmentRecord[] {
    return [...this.#enrolments.values()]
  }

  /** Resolves when what the event decided is durable and published. */
  submit(event: RolloutEvent): Promise<void> {
    return this.#queue.submit(event)
  }

  /** Takes events until `signal` aborts, repairing itself from the store after every failed write. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.#openAndRun(signal)
    } finally {
      this.#session = null
      this.#queue.close(
        new ControllerError('LeaseLost', 'deciding: this controller stopped leading; try again'),
      )
    }
  }

  async #openAndRun(signal: AbortSignal): Promise<void> {
    const { logger, term } = this.#options
    try {
      this.#session = await this.#openSession(signal)
      logger.info({ term }, 'engine open')
      await this.#takeEvents(this.#session, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!isRepairable(error)) throw error
      logger.warn({ code: error.code, error: error.message }, 'decision not durable, reading the store again')
      await sleep(Math.random() * REPAIR_DELAY_MAX_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #openSession(signal: AbortSignal): Promise<Session> {
    const { store, openPublisher, connectedHosts } = this.#options
    const [loaded, publisher] = await Promise.all([store.load(signal), openPublisher(signal)])
    const { trusted = (record) => record } = this.#options
    const records = { ...loaded, enrolments: loaded.enrolments.map(trusted) }
    this.#requireNewest(Math.max(publisher.newestTerm, ...records.rollouts.map(({ term }) => term)))
    for (const record of records.enrolments) this.#enrolments.set(record.hostId, record)
    for (const { hostId, report } of records.hosts) {
      if (report.plan !== null) this.#acceptedCounters.set(hostId, report.plan.counter)
    }
    const opened = open(records, { wallMs: Date.now(), elapsedMs: 0 })
    const calledAtMs = performance.now()
    const renewAtMs = calledAtMs + RENEW_EVERY_MS
    const session: Session = { state: opened.state, wakeInMs: null, calledAtMs, renewAtMs, publisher }
    await this.#settle(session, opened.decision, signal)
    for (const hostId of connectedHosts()) {
      await this.#step(session, { kind: 'connection', hostId, connected: true }, signal)
    }
    if (this.#wanted !== null) await this.#step(session, this.#wanted, signal)
    return session
  }

  /** A store that lost its lease counts terms anew, and hosts refuse a smaller one than they know. */
  #requireNewest(newestTerm: number): void {
    const { term, onNewerTerm } = this.#options
    if (newestTerm <= term) return
    onNewerTerm(newestTerm)
    throw new ControllerError(
      'Conflict',
      `leading in term ${term}: the store holds plans or rollouts of term ${newestTerm}; leading again in a later one`,
    )
  }

  async #takeEvents(session: Session, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const renewInMs = Math.max(0, session.renewAtMs - performance.now())
      await this.#queue.wait(Math.min(session.wakeInMs ?? renewInMs, renewInMs), signal)
      if (signal.aborted) return
      const item = this.#queue.take()
      try {
        await this.#step(session, item?.event ?? { kind: 'timer' }, signal)
      } catch (error) {
        if (item !== null) this.#queue.putBack(item)
        throw error
      }
      for (const waiter of item?.waiters ?? []) waiter.resolve()
      if (performance.now() < session.renewAtMs) continue
      const renewed = await session.publisher.renew(this.#publishContext(signal))
      session.renewAtMs = performance.now() + (renewed > 0 ? RENEW_REST_MS : RENEW_EVERY_MS)
    }
  }

  async #step(session: Session, event: RolloutEvent, signal: AbortSignal): Promise<void> {
    this.#remember(event)
    if (event.kind === 'enrolled' && event.enrolment.revoked !== undefined) {
      session.publisher.forget(event.enrolment.hostId)
    }
    const next = apply(session.state, event, nowSince(session))
    session.state = next.state
    await this.#settle(session, next.decision, signal)
    if (event.kind === 'report') {
      await session.publisher.catchUp(event.hostId, this.#publishContext(signal))
    }
  }

  /** Durable before published: a plan that the store forgot could never be taken back. */
  async #settle(session: Session, decision: Decision, signal: AbortSignal): Promise<void> {
    const { store, term, onChange, onMeasures } = this.#options
    if (decision.writes.length > 0) await store.commit(decision.writes, { term, signal })
    const publishes = decision.publishes.filter(({ hostId }) => !this.#isRevoked(hostId))
    if (publishes.length > 0) await session.publisher.publish(publishes, this.#publishContext(signal))
    session.wakeInMs = decision.wakeInMs
    onMeasures(decision.measures)
    onChange()
  }

  #isRevoked(hostId: string): boolean {
    return this.#enrolments.get(hostId)?.revoked !== undefined
  }

  #remember(event: RolloutEvent): void {
    if (event.kind === 'wanted') this.#wanted = event
    if (event.kind === 'enrolled') this.#enrolments.set(event.enrolment.hostId, event.enrolment)
    if (event.kind === 'report' && event.report.plan !== null) {
      this.#acceptedCounters.set(event.hostId, event.report.plan.counter)
    }
  }

  #publishContext(signal: AbortSignal): PublishContext {
    const acceptedCounterOf = (hostId: string): number | null => this.#acceptedCounters.get(hostId) ?? null
    return { term: this.#options.term, nowMs: Date.now(), acceptedCounterOf, signal }
  }
}

function isRepairable(error: unknown): error is ControllerError {
  return error instanceof ControllerError && consequences[error.code] === 'retry'
}

function nowSince(session: Session): Now {
  const calledAtMs = performance.now()
  const elapsedMs = calledAtMs - session.calledAtMs
  session.calledAtMs = calledAtMs
  return { wallMs: Date.now(), elapsedMs }
}
