import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import type * as z from 'zod'
import { bucketStream } from '../../proto/subjects.ts'
import type { Bucket } from '../../proto/subjects.ts'
import { ControllerError } from '../errors.ts'
import type { AckWindow, Publication } from './ack-window.ts'
import { eraseMessages } from './erase.ts'
import { replay } from './replay.ts'

export type BucketOptions<Value> = {
  readonly connection: NatsConnection
  readonly window: AckWindow
  readonly logger: Logger
  readonly bucket: Bucket
  readonly schema: z.ZodType<Value>
  /** Which keys of the bucket hold such values. Default: all. */
  readonly isKey?: (key: string) => boolean
}

/** One bucket with the sequence of each key as last read or written: what compare-and-swap compares with. */
export type BucketHandle<Value> = {
  /** A value that cannot be parsed is set aside with a warning: git and the hosts know what it said. */
  load(signal: AbortSignal): Promise<readonly Value[]>
  publication(key: string, value: Value): Publication
  stored(key: string, sequence: number): void
  /**
   * Removes the values of these keys as last read or written, without a marker in their place: what another wrote
   * since stays, and a key that is gone is no error.
   * @throws ControllerError StoreUnavailable.
   */
  erase(keys: readonly string[], signal: AbortSignal): Promise<void>
}

const KEY = /^[-/_=.a-zA-Z0-9]{1,512}$/

export function openBucket<Value>(options: BucketOptions<Value>): BucketHandle<Value> {
  const { connection, logger, bucket, schema, isKey = () => true } = options
  const prefix = `$KV.${bucket}.`
  const sequences = new Map<string, number>()
  return {
    async load(signal) {
      const messages = await replay(connection, bucketStream(bucket), signal)
      sequences.clear()
      const values: Value[] = []
      for (const { subject, sequence, data } of messages) {
        const key = subject.slice(prefix.length)
        if (!isKey(key)) continue
        sequences.set(key, sequence)
        if (data.length === 0) continue
        const parsed = schema.safeParse(parseJson(data))
        if (parsed.success) values.push(parsed.data)
        else logger.warn({ bucket, key, issues: parsed.error.issues.slice(0, 3) }, 'stored value set aside')
      }
      return values
    },
    publication(key, value) {
      if (!KEY.test(key) || key.startsWith('.') || key.endsWith('.')) {
        throw new ControllerError(
          'RequestInvalid',
          `writing bucket ${bucket}: ${JSON.stringify(key)} is no key`,
        )
      }
      const data = Buffer.from(JSON.stringify(value), 'utf8')
      return { subject: prefix + key, data, expectedSequence: sequences.get(key) ?? 0 }
    },
    stored(key, sequence) {
      sequences.set(key, sequence)
    },
    async erase(keys, signal) {
      const known = keys.flatMap((key) => {
        const sequence = sequences.get(key)
        return sequence === undefined ? [] : [{ subject: prefix + key, sequence }]
      })
      await eraseMessages(connection, { stream: bucketStream(bucket), messages: known }, signal)
      for (const key of keys) sequences.delete(key)
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
