import type { Server, ServerCredentials, UntypedServiceImplementation } from '@grpc/grpc-js'
import { ControllerError } from '../errors.ts'

const CLOSE_TIMEOUT_MS = 2_000

/**
 * `HOST:PORT` as bound; port 0 takes a free one. `setting` is what names it in the configuration.
 * @throws ControllerError ConfigInvalid when the address cannot be bound.
 */
export function listenOn(server: Server, { listen, setting, credentials }: ListenOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (error === null) return resolve(listen.replace(/:\d+$/, `:${port}`))
      const message = `listening on ${listen}: ${error.message}; check ${setting}`
      reject(new ControllerError('ConfigInvalid', message, { cause: error }))
    })
  })
}

export type ListenOptions = {
  readonly listen: string
  readonly setting: string
  readonly credentials: ServerCredentials
}

/** Ends open calls within the bound. */
export async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.forceShutdown(), CLOSE_TIMEOUT_MS)
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
  clearTimeout(timer)
}

export function implementation(handlers: object): UntypedServiceImplementation {
  return handlers as UntypedServiceImplementation
}
