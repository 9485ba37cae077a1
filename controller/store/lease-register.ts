import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { BUCKETS, LEASE_KEY, bucketStream } from '../../proto/subjects.ts'
import { ControllerError } from '../errors.ts'
import type { AckWindow } from './ack-window.ts'
import type { LeaseRegister } from './leadership.ts'
import { LeaseRecord } from './lease.ts'
import { isStreamMissing, requireStreamsStill } from './provision.ts'

export function openLeaseRegister(connection: NatsConnection, window: AckWindow): LeaseRegister {
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
        if (isStreamMissing(cause)) await requireStreamsStill(connection)
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

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString('utf8'))
  } catch {
    return undefined
  }
}
