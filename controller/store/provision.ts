import { DiscardPolicy, JetStreamApiError, StorageType, jetstreamManager } from '@nats-io/jetstream'
import type { JetStreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { BUCKETS, PLAN_STREAM, PLAN_SUBJECTS } from '../../proto/subjects.ts'

const STREAM_NOT_FOUND = 10059
const VALUE_SIZE_MAX_BYTES = 64 * 1024

/** Creates the stream of plans and the buckets that are missing; what exists is left as it is. */
export async function provision(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection)
  if (!(await streamExists(manager, PLAN_STREAM))) {
    await manager.streams.add({
      name: PLAN_STREAM,
      subjects: [PLAN_SUBJECTS],
      max_msgs_per_subject: 1,
      allow_direct: true,
      deny_delete: true,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
    })
  }
  const buckets = new Kvm(connection)
  for (const bucket of Object.values(BUCKETS)) {
    if (await streamExists(manager, bucketStream(bucket))) continue
    await buckets.create(bucket, {
      history: 1,
      storage: StorageType.File,
      maxValueSize: VALUE_SIZE_MAX_BYTES,
      allow_direct: true,
    })
  }
}

export function bucketStream(bucket: string): string {
  return `KV_${bucket}`
}

async function streamExists(manager: JetStreamManager, name: string): Promise<boolean> {
  try {
    await manager.streams.info(name)
    return true
  } catch (error) {
    if (isStreamMissing(error)) return false
    throw error
  }
}

export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND
}
