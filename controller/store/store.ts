import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { BUCKETS, LEASE_KEY, PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import type { EnrolmentRecord, ForgottenRollout, Records, Write } from '../rollout/types.ts'
import { ControllerError } from '../errors.ts'
import { openAckWindow } from './ack-window.ts'
import type { AckWindow } from './ack-window.ts'
import { openBucket } from './bucket.ts'
import type { BucketHandle } from './bucket.ts'
import type { LeaseRegister } from './leadership.ts'
import { LeaseRecord } from './lease.ts'
import { connectNats } from './nats.ts'
import { openPlanLog } from './plan-log.ts'
import type { PlanLog } from './plan-log.ts'
import { bucketStream, isStreamMissing, provision } from './provision.ts'
import { Enrolment, Fleet, Grant, Host, Rollout } from './record-schema.ts'
import { requireSyncAlways, requireVersion } from './server-floor.ts'

export type StoreOptions = {
  readonly natsUrl: string
  readonly monitorUrl: string
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly firstConnectTimeoutMs?: number
}

export type Store = {
  /** Everything stored, and from here on what {@link Store.commit} compares with. */
  load(signal: AbortSignal): Promise<Records>
  /**
   * Durable when it resolves: fleets, then grants and hosts, then rollouts, and last what is forgotten, so that any
   * prefix is safe.
   * After an error the caller loads again.
   * @throws ControllerError StoreConflict, StoreUnavailable.
   */
  commit(
    writes: readonly Write[],
    options: { readonly term: number; readonly signal: AbortSignal },
  ): Promise<void>
  enrol(record: EnrolmentRecord, signal: AbortSignal): Promise<void>
  readonly lease: LeaseRegister
  readonly plans: PlanLog
  close(): Promise<void>
}

/**
 * @throws ControllerError StoreUnavailable, StoreTooOld, StoreNotDurable.
 */
export async function connectStore(options: StoreOptions): Promise<Store> {
  const connection = await connectNats(options)
  try {
    requireVersion(connection.info?.version ?? 'unknown')
    await requireSyncAlways(options.monitorUrl, options.signal)
    await provision(connection)
  } catch (error) {
    await connection.close()
    throw error
  }
  return openStore(connection, options.logger)
}

export function openStore(connection: NatsConnection, logger: Logger): Store {
  const window = openAckWindow(connection)
  const buckets = openBuckets({ connection, window, logger })
  const { enrolments } = buckets

  async function commitGroup(
    writes: readonly RecordWrite[],
    term: number,
    signal: AbortSignal,
  ): Promise<void> {
    const prepared = lastPerKey(writes).map(([key, write]) => {
      const record = write.kind === 'rollout' ? { ...write.record, term } : write.record
      const bucket: Pick<BucketHandle<unknown>, 'publication' | 'stored'> = buckets[write.kind]
      return { key, bucket, publication: bucket.publication(key, record) }
    })
    if (prepared.length === 0) return
    const sequences = await window.publishAll(
      prepared.map(({ publication }) => publication),
      signal,
    )
    for (const [index, { key, bucket }] of prepared.entries()) bucket.stored(key, sequences[index] ?? 0)
  }

  /** A header whose grants are left is found again by the next start; grants without a header would seem lost. */
  async function forget(
    { hostIds, rolloutId, withHeader }: ForgottenRollout,
    signal: AbortSignal,
  ): Promise<void> {
    const keys = hostIds.map((hostId) => grantKey({ rolloutId, hostId }))
    await buckets.grant.erase(keys, signal)
    if (withHeader) await buckets.rollout.erase([rolloutId], signal)
  }

  return {
    async load(signal) {
      // A server that lost its disk comes back without them while we are connected.
      await provisionAgain(connection)
      const [fleets, rollouts, grants, hosts, enrolled] = await Promise.all([
        buckets.fleet.load(signal),
        buckets.rollout.load(signal),
        buckets.grant.load(signal),
        buckets.host.load(signal),
        enrolments.load(signal),
      ])
      return { fleets, rollouts, grants, hosts, enrolments: enrolled }
    },
    async commit(writes, { term, signal }) {
      for (const group of groupsInOrder(writes)) await commitGroup(group, term, signal)
      for (const write of writes) if (write.kind === 'forgetRollout') await forget(write.record, signal)
    },
    enrol: (record, signal) => enrolIn(enrolments, window, { record, signal }),
    lease: openLeaseRegister(connection, window),
    plans: openPlanLog({ connection, window, stream: PLAN_STREAM, subjectOf: planSubject }),
    async close() {
      window.close()
      await connection.close()
    },
  }
}

type Buckets = ReturnType<typeof openBuckets>

function openBuckets(context: {
  readonly connection: NatsConnection
  readonly window: AckWindow
  readonly logger: Logger
}) {
  return {
    fleet: openBucket({ ...context, bucket: BUCKETS.fleets, schema: Fleet }),
    rollout: openBucket({ ...context, bucket: BUCKETS.rollouts, schema: Rollout }),
    grant: openBucket({ ...context, bucket: BUCKETS.grants, schema: Grant }),
    host: openBucket({ ...context, bucket: BUCKETS.hosts, schema: Host }),
    enrolments: openBucket({ ...context, bucket: BUCKETS.enrolment, schema: Enrolment }),
  }
}

async function enrolIn(
  enrolments: Buckets['enrolments'],
  window: AckWindow,
  { record, signal }: { readonly record: EnrolmentRecord; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const [sequence] = await window.publishAll([enrolments.publication(record.hostId, record)], signal)
    enrolments.stored(record.hostId, sequence ?? 0)
  } catch (error) {
    // It may be stored although no answer came; another try must not conflict with it for ever.
    await enrolments.load(signal).catch(() => undefined)
    throw error
  }
}

type RecordWrite = Exclude<Write, { readonly kind: 'forgetRollout' }>

/** A denial must be durable before a grant, and a grant before the header that counts on it. */
function groupsInOrder(writes: readonly Write[]): readonly (readonly RecordWrite[])[] {
  const records = writes.filter((write) => write.kind !== 'forgetRollout')
  const group = (...kinds: readonly RecordWrite['kind'][]): readonly RecordWrite[] =>
    records.filter(({ kind }) => kinds.includes(kind))
  return [group('fleet'), group('grant', 'host'), group('rollout')]
}

/** Two writes of one key in one decision would race in the window; the later one says all. */
function lastPerKey(writes: readonly RecordWrite[]): readonly (readonly [string, RecordWrite])[] {
  const last = new Map<string, readonly [string, RecordWrite]>()
  for (const write of writes) last.set(`${write.kind}/${keyOf(write)}`, [keyOf(write), write])
  return [...last.values()]
}

function keyOf(write: RecordWrite): string {
  switch (write.kind) {
    case 'fleet':
      return write.record.fleet
    case 'grant':
      return grantKey(write.record)
    case 'host':
      return write.record.hostId
    case 'rollout':
      return write.record.id
  }
}

function grantKey({ hostId, rolloutId }: { readonly hostId: string; readonly rolloutId: string }): string {
  return `${rolloutId}.${hostId}`
}

function openLeaseRegister(connection: NatsConnection, window: AckWindow): LeaseRegister {
  const stream = bucketStream(BUCKETS.lease)
  const subject = `$KV.${BUCKETS.lease}.${LEASE_KEY}`
  return {
    async read() {
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false })
        // Asks the stream's leader: a direct read may come from a follower and be stale.
        const message = await manager.streams.getMessage(stream, { last_by_subj: subject })
        if (message === null) return null
        const record = LeaseRecord.safeParse(parseJson(message.data))
        // A damaged lease names no holder; waiting out its life is what an unknown holder needs.
        const unknown: LeaseRecord = { holder: 'unknown', term: 0, renewedAt: '' }
        return { record: record.data ?? unknown, revision: message.seq }
      } catch (cause) {
        if (isStreamMissing(cause)) {
          await provisionAgain(connection)
          return null
        }
        throw new ControllerError('StoreUnavailable', `reading the lease: ${String(cause)}`, { cause })
      }
    },
    async write(record, expectedSequence, signal) {
      const data = Buffer.from(JSON.stringify(record))
      const [sequence] = await window.publishAll([{ subject, data, expectedSequence }], signal)
      return sequence ?? 0
    },
  }
}

async function provisionAgain(connection: NatsConnection): Promise<void> {
  await provision(connection).catch((cause: unknown) => {
    throw new ControllerError('StoreUnavailable', `creating what the store lacks: ${String(cause)}`, {
      cause,
    })
  })
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString('utf8'))
  } catch {
    return undefined
  }
}
