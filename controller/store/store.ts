import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import { BUCKETS, EVERY_FLEET_KEY, PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import type { TokenRecord } from '../joins/token-record.ts'
import type { EnrolmentRecord, Records } from '../rollout/records.ts'
import type { ForgottenRollout, Write } from '../rollout/decision.ts'
import { ControllerError } from '../errors.ts'
import { openAckWindow } from './ack-window.ts'
import type { AckWindow } from './ack-window.ts'
import { openBucket } from './bucket.ts'
import type { BucketHandle } from './bucket.ts'
import type { LeaseRegister } from './leadership.ts'
import { openLeaseRegister } from './lease-register.ts'
import { connectNats } from './nats.ts'
import type { NatsOptions } from './nats.ts'
import { openPlanLog } from './plan-log.ts'
import type { PlanLog } from './plan-log.ts'
import { provision, requireStreams, requireStreamsStill } from './provision.ts'
import { Enrolment, Host } from './stored-hosts.ts'
import { EveryFleet, Fleet } from './stored-fleets.ts'
import { Grant } from './stored-grants.ts'
import { Rollout } from './stored-rollouts.ts'
import { Token } from './stored-tokens.ts'
import { requireAccount, requireSyncAlways, requireVersion } from './server-floor.ts'

export type StoreOptions = NatsOptions & { readonly monitorUrl: string }

export type Store = {
  /** Everything stored, and from here on what {@link Store.commit} compares with. */
  load(signal: AbortSignal): Promise<Records>
  /**
   * Durable when it resolves: what holds for every fleet and fleets, then grants and hosts, then rollouts, and last what is forgotten, so that any
   * prefix is safe.
   * After an error the caller loads again.
   * @throws ControllerError StoreConflict, StoreUnavailable.
   */
  commit(
    writes: readonly Write[],
    options: { readonly term: number; readonly signal: AbortSignal },
  ): Promise<void>
  enrol(record: EnrolmentRecord, signal: AbortSignal): Promise<void>
  readonly tokens: TokenStore
  readonly lease: LeaseRegister
  readonly plans: PlanLog
  close(): Promise<void>
}

export type TokenStore = {
  /** Everything stored, and from here on what `put` compares with. */
  readonly load: (signal: AbortSignal) => Promise<readonly TokenRecord[]>
  /** Durable when it resolves. @throws ControllerError StoreConflict, StoreUnavailable. */
  readonly put: (record: TokenRecord, signal: AbortSignal) => Promise<void>
}

/** Tokens live in the bucket of enrolments: a host's key there is its id, which has no dot. */
const TOKEN_KEY = 'token.'

/**
 * @throws ControllerError StoreUnavailable, StoreTooOld, StoreNotDurable, StoreNotOurs.
 */
export async function connectStore(options: StoreOptions): Promise<Store> {
  const connection = await connectServer(options)
  try {
    await requireStreams(connection)
  } catch (error) {
    await connection.close()
    throw error
  }
  return openStore(connection, options.logger)
}

/**
 * Makes the streams that a server lacks, and returns their names.
 * @throws ControllerError StoreUnavailable, StoreTooOld, StoreNotDurable, StoreNotOurs.
 */
export async function provisionStore(options: StoreOptions): Promise<readonly string[]> {
  const connection = await connectServer(options)
  try {
    return await provision(connection)
  } catch (cause) {
    throw new ControllerError('StoreUnavailable', `making streams: ${String(cause)}`, { cause })
  } finally {
    await connection.close()
  }
}

/** A server that keeps what it acknowledges, and holds us to an account. */
async function connectServer(options: StoreOptions): Promise<NatsConnection> {
  const connection = await connectNats(options)
  try {
    requireVersion(connection.info?.version ?? 'unknown')
    await requireAccount(connection, options.identity.account)
    await requireSyncAlways(options.monitorUrl, options.signal)
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

export function openStore(connection: NatsConnection, logger: Logger): Store {
  const window = openAckWindow(connection)
  const buckets = openBuckets({ connection, window, logger })

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
      await requireStreamsStill(connection)
      return loadRecords(buckets, signal)
    },
    async commit(writes, { term, signal }) {
      for (const group of groupsInOrder(writes)) await commitGroup(group, term, signal)
      for (const write of writes) if (write.kind === 'forgetRollout') await forget(write.record, signal)
    },
    enrol: (record, signal) => putIn(buckets.enrolments, window, { key: record.hostId, record, signal }),
    tokens: tokenStore(buckets.tokens, window),
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
    everyFleet: openBucket({ ...context, bucket: BUCKETS.control, schema: EveryFleet }),
    fleet: openBucket({ ...context, bucket: BUCKETS.fleets, schema: Fleet }),
    rollout: openBucket({ ...context, bucket: BUCKETS.rollouts, schema: Rollout }),
    grant: openBucket({ ...context, bucket: BUCKETS.grants, schema: Grant }),
    host: openBucket({ ...context, bucket: BUCKETS.hosts, schema: Host }),
    enrolments: openBucket({
      ...context,
      bucket: BUCKETS.enrolment,
      schema: Enrolment,
      isKey: (key) => !key.startsWith(TOKEN_KEY),
    }),
    tokens: openBucket({
      ...context,
      bucket: BUCKETS.enrolment,
      schema: Token,
      isKey: (key) => key.startsWith(TOKEN_KEY),
    }),
  }
}

async function loadRecords(buckets: Buckets, signal: AbortSignal): Promise<Records> {
  const [everyFleet, fleets, rollouts, grants, hosts, enrolments] = await Promise.all([
    buckets.everyFleet.load(signal),
    buckets.fleet.load(signal),
    buckets.rollout.load(signal),
    buckets.grant.load(signal),
    buckets.host.load(signal),
    buckets.enrolments.load(signal),
  ])
  return { everyFleet: everyFleet[0] ?? null, fleets, rollouts, grants, hosts, enrolments }
}

function tokenStore(tokens: Buckets['tokens'], window: AckWindow): TokenStore {
  return {
    load: (signal) => tokens.load(signal),
    put: (record, signal) => putIn(tokens, window, { key: `${TOKEN_KEY}${record.slot}`, record, signal }),
  }
}

async function putIn<Value>(
  bucket: BucketHandle<Value>,
  window: AckWindow,
  { key, record, signal }: { readonly key: string; readonly record: Value; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const [sequence] = await window.publishAll([bucket.publication(key, record)], signal)
    bucket.stored(key, sequence ?? 0)
  } catch (error) {
    // It may be stored although no answer came; another try must not conflict with it for ever.
    await bucket.load(signal).catch(() => undefined)
    throw error
  }
}

type RecordWrite = Exclude<Write, { readonly kind: 'forgetRollout' }>

/** A denial must be durable before a grant, and a grant before the header that counts on it. */
function groupsInOrder(writes: readonly Write[]): readonly (readonly RecordWrite[])[] {
  const records = writes.filter((write) => write.kind !== 'forgetRollout')
  const group = (...kinds: readonly RecordWrite['kind'][]): readonly RecordWrite[] =>
    records.filter(({ kind }) => kinds.includes(kind))
  return [group('everyFleet', 'fleet'), group('grant', 'host'), group('rollout')]
}

/** Two writes of one key in one decision would race in the window; the later one says all. */
function lastPerKey(writes: readonly RecordWrite[]): readonly (readonly [string, RecordWrite])[] {
  const last = new Map<string, readonly [string, RecordWrite]>()
  for (const write of writes) last.set(`${write.kind}/${keyOf(write)}`, [keyOf(write), write])
  return [...last.values()]
}

function keyOf(write: RecordWrite): string {
  switch (write.kind) {
    case 'everyFleet':
      return EVERY_FLEET_KEY
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
