import { status } from '@grpc/grpc-js'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { authorizeOperator } from './authorize.ts'
import type { MethodName, RequestOf } from './operator-rules.ts'
import { permit } from './permit.ts'
import type { Permissions, Viewer } from './permit.ts'
import { asServiceError, serviceError } from './status.ts'

export type Watching<Message> = {
  readonly permissions: Permissions
  readonly logger: Logger
  /** Null when there are too many already. */
  readonly listen: (listener: () => void) => (() => void) | null
  /** What there is to say now, as far as `viewer` may see it; null: nothing. */
  readonly next: (viewer: Viewer) => Message | null
}

/** A stream of what changes, which ends with whoever listens, their certificate or their role. */
export function watch<Name extends MethodName, Message>(
  method: Name,
  call: ServerWritableStream<RequestOf<Name>, Message>,
  { permissions, logger, listen, next }: Watching<Message>,
): void {
  let stop: (() => void) | null = null
  // For a slow reader what there is to say is gathered instead of filling our memory.
  let blocked = false
  const end = (): void => stop?.()
  const permitted = (): Viewer => {
    const { name: actor } = authorizeOperator(call, permissions.roles)
    return permit(permissions, { method, request: call.request, actor }).viewer
  }
  const send = (): void => {
    if (blocked) return
    try {
      // At every message: certificates expire, and roles are taken away, while a watch goes on.
      const message = next(permitted())
      if (message !== null) blocked = !call.write(message)
    } catch (error) {
      end()
      call.emit('error', asServiceError(error, logger))
    }
  }
  call.on('drain', () => {
    blocked = false
    send()
  })
  for (const event of ['cancelled', 'close', 'error']) call.on(event, end)
  try {
    permitted()
    stop = listen(send)
    if (stop === null) {
      const watched = method === 'watchStatus' ? 'status watches' : 'watches of the audit log'
      throw serviceError(status.RESOURCE_EXHAUSTED, `too many ${watched} are open; close one`)
    }
    send()
  } catch (error) {
    call.emit('error', asServiceError(error, logger))
  }
}
