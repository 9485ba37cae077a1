import { createHash, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Logger } from 'pino'
import { planOpener, planSealer } from '../../proto/envelope.ts'
import type { Plan } from '../../proto/plan.ts'
import { isHostId } from '../../proto/subjects.ts'
import type { PlanIntent } from '../rollout/decision.ts'
import { planOf, sameForHost } from './plan-of-intent.ts'

/** Where plans are kept, the last one of each host; see the store. */
export type PlanLog = {
  load(
    signal: AbortSignal,
  ): Promise<
    readonly { readonly subject: string; readonly sequence: number; readonly envelope: Uint8Array }[]
  >
  append(
    plans: readonly {
      readonly hostId: string
      readonly envelope: Uint8Array
      readonly expectedSequence: number
    }[],
    signal: AbortSignal,
  ): Promise<readonly number[]>
}

export type PublisherOptions = {
  readonly log: PlanLog
  readonly directorKey: KeyObject
  readonly maxBytes: number
  readonly logger: Logger
  readonly signal: AbortSignal
}

export type PublishContext = {
  readonly term: number
  readonly nowMs: number
  /** Counter that the host says it accepted; null when it never said one. */
  readonly acceptedCounterOf: (hostId: string) => number | null
  readonly signal: AbortSignal
}

export type Publisher = {
  /** Highest term in the plans that were there at the start. */
  readonly newestTerm: number
  /** Resolves when every changed plan is durable. Number of plans written. */
  publish(intents: readonly PlanIntent[], context: PublishContext): Promise<number>
  /**
   * Signs again what is past half of its life, so that a host that was away finds a valid plan, and one that gets none
   * knows that it is kept from them. Number of plans written; some may be left until it is 0.
   */
  renew(context: PublishContext): Promise<number>
  /** Signs nothing again for this host. */
  forget(hostId: string): void
  /** Signs one host's plan again when the host is ahead of it, as after the loss of the stored plans. */
  catchUp(hostId: string, context: PublishContext): Promise<number>
}

type Last = {
  readonly sequence: number
  readonly counter: number
  readonly term: number
  readonly expiresAtMs: number
  /** Of what the plan says, without counter, term and times. */
  readonly contentHash: string
}

type Sealed = {
  readonly hostId: string
  readonly envelope: Uint8Array
  readonly next: Omit<Last, 'sequence'>
}

/** At once, so that the plans of a large fleet, which were signed together, delay nothing else. */
const RENEWALS_MAX = 500
const LIFE_MS = 24 * 60 * 60 * 1000
/** A host cannot burn more of its own counter than this by lying about what it accepted. */
const COUNTER_JUMP_MAX = 1_000_000

/** Reads the last plan of each host; from here on this process is the only writer, or compare-and-swap says so. */
export async function openPublisher(options: PublisherOptions): Promise<Publisher> {
  const { log, directorKey, maxBytes, logger } = options
  const last = await loadLast(options)
  const intentOf = new Map<string, PlanIntent>()
  const seal = planSealer(directorKey)

  function sealIfNeeded(intent: PlanIntent, context: PublishContext): Sealed | null {
    const { term, nowMs } = context
    const before = last.get(intent.hostId)
    const accepted = context.acceptedCounterOf(intent.hostId) ?? 0
    const counter = counterAfter(accepted, before?.counter ?? 0)
    if (counter <= accepted) logger.warn({ hostId: intent.hostId, accepted }, 'plan counter out of reach')
    const expiresAtMs = nowMs + LIFE_MS
    const plan = planOf(intent, { counter, term, issuedAtMs: nowMs, expiresAtMs, maxBytes })
    const contentHash = hashOf(plan)
    const fresh =
      before !== undefined &&
      before.contentHash === contentHash &&
      before.term === term &&
      isLasting(before.expiresAtMs, nowMs) &&
      // A host ahead of the log refuses what the log holds.
      (accepted <= before.counter || counter === before.counter + 1)
    if (fresh) return null
    return { hostId: intent.hostId, envelope: seal(plan), next: { counter, term, expiresAtMs, contentHash } }
  }

  async function publish(intents: Iterable<PlanIntent>, context: PublishContext): Promise<number> {
    const sealed: Sealed[] = []
    for (const intent of latestPerHost(intents)) {
      intentOf.set(intent.hostId, intent)
      const plan = sealIfNeeded(intent, context)
      if (plan !== null) sealed.push(plan)
    }
    if (sealed.length === 0) return 0
    const sequences = await log.append(
      sealed.map(({ hostId, envelope }) => ({
        hostId,
        envelope,
        expectedSequence: last.get(hostId)?.sequence ?? 0,
      })),
      context.signal,
    )
    for (const [index, { hostId, next }] of sealed.entries()) {
      last.set(hostId, { ...next, sequence: sequences[index] ?? 0 })
    }
    return sealed.length
  }

  return {
    newestTerm: newestTermOf(last.values()),
    publish,
    renew: (context) => publish(dueAt(context.nowMs, intentOf.values(), last), context),
    forget: (hostId) => void intentOf.delete(hostId),
    async catchUp(hostId, context) {
      const intent = intentOf.get(hostId)
      const behind = isBehind(last.get(hostId)?.counter ?? 0, context.acceptedCounterOf(hostId) ?? 0)
      return intent !== undefined && behind ? publish([intent], context) : 0
    },
  }
}

function dueAt(
  nowMs: number,
  intents: Iterable<PlanIntent>,
  last: ReadonlyMap<string, Last>,
): readonly PlanIntent[] {
  const due: PlanIntent[] = []
  for (const intent of intents) {
    if (isLasting(last.get(intent.hostId)?.expiresAtMs ?? 0, nowMs)) continue
    due.push(intent)
    if (due.length === RENEWALS_MAX) break
  }
  return due
}

function isLasting(expiresAtMs: number, nowMs: number): boolean {
  return expiresAtMs - nowMs >= LIFE_MS / 2
}

/** Past what the host accepted, unless that is out of reach. */
function counterAfter(accepted: number, stored: number): number {
  return (accepted <= stored + COUNTER_JUMP_MAX ? Math.max(accepted, stored) : stored) + 1
}

function isBehind(stored: number, accepted: number): boolean {
  return accepted > stored && counterAfter(accepted, stored) > accepted
}

function newestTermOf(plans: Iterable<Last>): number {
  let newest = 0
  for (const { term } of plans) newest = Math.max(newest, term)
  return newest
}

function latestPerHost(intents: Iterable<PlanIntent>): readonly PlanIntent[] {
  const latest = new Map<string, PlanIntent>()
  for (const intent of intents) latest.set(intent.hostId, intent)
  return [...latest.values()]
}

async function loadLast({ log, directorKey, logger, signal }: PublisherOptions): Promise<Map<string, Last>> {
  const last = new Map<string, Last>()
  const open = planOpener([createPublicKey(directorKey)])
  for (const { subject, sequence, envelope } of await log.load(signal)) {
    const hostId = subject.slice('plan.'.length)
    if (!isHostId(hostId)) continue
    const opened = open(envelope)
    if (opened.kind === 'refused' || opened.plan.hostId !== hostId) {
      // Anything not ours is replaced at the next intent; its counter means nothing.
      logger.warn(
        { hostId, refusal: opened.kind === 'refused' ? opened.refusal : 'OtherHost' },
        'stored plan set aside',
      )
      last.set(hostId, { sequence, counter: 0, term: -1, expiresAtMs: 0, contentHash: '' })
      continue
    }
    const { plan } = opened
    const expiresAtMs = Date.parse(plan.expiresAt)
    last.set(hostId, {
      sequence,
      counter: plan.counter,
      term: plan.term,
      expiresAtMs,
      contentHash: hashOf(plan),
    })
  }
  return last
}

function hashOf(plan: Plan): string {
  return createHash('sha256').update(sameForHost(plan)).digest('base64')
}
