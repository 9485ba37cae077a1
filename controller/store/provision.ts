import { DiscardPolicy, JetStreamApiError, StorageType, jetstreamManager } from '@nats-io/jetstream'
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { BUCKETS, PLAN_STREAM, PLAN_SUBJECTS, bucketStream } from '../../proto/subjects.ts'
import { ControllerError } from '../errors.ts'

const STREAM_NOT_FOUND = 10059
const VALUE_SIZE_MAX_BYTES = 64 * 1024

type Wanted = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] }

/** Makes the stream of plans and the buckets that are missing, and returns their names; what exists is left as it is. */
export async function provision(connection: NatsConnection): Promise<readonly string[]> {
  const manager = await jetstreamManager(connection)
  const made: string[] = []
  for (const wanted of wantedStreams()) {
    if ((await configOf(manager, wanted.name)) !== null) continue
    await manager.streams.add(wanted)
    made.push(wanted.name)
  }
  return made
}

/**
 * @throws ControllerError StoreUnavailable naming the streams that are missing, StoreNotDurable one that would lose
 * what a controller relies on.
 */
export async function requireStreams(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false })
  const missing: string[] = []
  for (const wanted of wantedStreams()) {
    const config = await configOf(manager, wanted.name)
    if (config === null) missing.push(wanted.name)
    else requireFit(config, wanted)
  }
  if (missing.length === 0) return
  throw new ControllerError(
    'StoreUnavailable',
    `checking the nats server: the streams ${missing.join(', ')} are missing; make them with "bootfleet-controller provision"`,
  )
}

/** As {@link requireStreams}, for a connection that has been in use; also when the server does not answer. */
export async function requireStreamsStill(connection: NatsConnection): Promise<void> {
  await requireStreams(connection).catch((cause: unknown) => {
    if (cause instanceof ControllerError) throw cause
    throw new ControllerError('StoreUnavailable', `checking the streams: ${String(cause)}`, { cause })
  })
}

function requireFit(found: StreamConfig, wanted: Wanted): void {
  const keeps = found.storage === StorageType.File && found.max_msgs_per_subject === 1 && found.allow_direct
  const takes = found.subjects.join() === wanted.subjects.join() && found.max_age === 0
  if (keeps && takes) return
  throw new ControllerError(
    'StoreNotDurable',
    `checking the nats server: stream ${wanted.name} is not as "bootfleet-controller provision" makes it (subject ${wanted.subjects.join()}, in files, the last message of each subject, for ever); remove it and run that`,
  )
}

function wantedStreams(): readonly Wanted[] {
  const common = {
    max_msgs_per_subject: 1,
    allow_direct: true,
    storage: StorageType.File,
    deny_delete: true,
  }
  const plans = { ...common, name: PLAN_STREAM, subjects: [PLAN_SUBJECTS], discard: DiscardPolicy.Old }
  const buckets = Object.values(BUCKETS).map((bucket) => ({
    ...common,
    name: bucketStream(bucket),
    subjects: [`$KV.${bucket}.>`],
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    max_msg_size: VALUE_SIZE_MAX_BYTES,
  }))
  return [{ ...plans, deny_purge: true }, ...buckets]
}

async function configOf(manager: JetStreamManager, name: string): Promise<StreamConfig | null> {
  try {
    return (await manager.streams.info(name)).config
  } catch (error) {
    if (isStreamMissing(error)) return null
    throw error
  }
}

export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND
}
