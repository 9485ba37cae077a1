import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { ControllerError } from '../errors.ts'
import { withTimeLimit } from '../time-limit.ts'

export type StoredMessage = {
  readonly subject: string
  readonly sequence: number
  /** Empty for a deleted key. */
  readonly data: Uint8Array
}

const REPLAY_TIMEOUT_MS = 60_000

/**
 * Every message of a stream that keeps one per subject, oldest first, in one pass.
 * @throws ControllerError StoreUnavailable.
 */
export async function replay(
  connection: NatsConnection,
  stream: string,
  signal: AbortSignal,
): Promise<StoredMessage[]> {
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false })
    const { state } = await manager.streams.info(stream)
    return state.messages === 0
      ? []
      : await withTimeLimit(signal, REPLAY_TIMEOUT_MS, (bounded) => readToEnd(connection, stream, bounded))
  } catch (cause) {
    signal.throwIfAborted()
    throw new ControllerError('StoreUnavailable', `reading stream ${stream}: ${String(cause)}`, { cause })
  }
}

async function readToEnd(
  connection: NatsConnection,
  stream: string,
  signal: AbortSignal,
): Promise<StoredMessage[]> {
  const found = new Map<string, StoredMessage>()
  const consumer = await jetstream(connection).consumers.get(stream)
  const messages = await consumer.consume({ max_messages: 5_000 })
  const stop = (): void => messages.stop(new Error('the replay took too long'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const message of messages) {
      const data = message.headers?.has('KV-Operation') === true ? new Uint8Array() : message.data
      found.set(message.subject, { subject: message.subject, sequence: message.seq, data })
      if (message.info.pending === 0) break
    }
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', stop)
    await messages.close()
  }
  return [...found.values()]
}
