import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { ControllerError } from '../errors.ts'
import { inWindow } from './ack-window.ts'

const WINDOW_SIZE = 64

/**
 * Deletes for good, which a marker as KV clients leave it would not. A purge up to a sequence never reaches what
 * another wrote later, so this too compares before it changes.
 * @throws ControllerError StoreUnavailable.
 */
export async function eraseMessages(
  connection: NatsConnection,
  of: {
    readonly stream: string
    readonly messages: readonly { readonly subject: string; readonly sequence: number }[]
  },
  signal: AbortSignal,
): Promise<void> {
  if (of.messages.length === 0) return
  try {
    const { streams } = await jetstreamManager(connection, { checkAPI: false })
    await inWindow({ items: of.messages, size: WINDOW_SIZE }, async ({ sequence, subject }) => {
      signal.throwIfAborted()
      await streams.purge(of.stream, { filter: subject, seq: sequence + 1 })
    })
  } catch (cause) {
    signal.throwIfAborted()
    throw new ControllerError('StoreUnavailable', `deleting from stream ${of.stream}: ${String(cause)}`, {
      cause,
    })
  }
}
