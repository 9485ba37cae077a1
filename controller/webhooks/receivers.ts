import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { HttpRequest, HttpRoute } from '../http.ts'
import { forges, pushOf } from './forges.ts'
import type { ForgeName, Push } from './forges.ts'
import { isFromRegistry, pushedRepositories } from './registry-notification.ts'
import { readSecret } from './secrets.ts'

/** Whom a delivery wakes; nothing else of it is used. False: nobody here can be woken, as another leads. */
export type Wakes = {
  readonly onPush: (push: Push) => boolean
  readonly onImages: (repositories: readonly string[]) => boolean
}

export type ReceiverOptions = {
  readonly secretFile: string
  readonly logger: Logger
  readonly now: () => number
}

const DONE = 204
const MALFORMED = 400
const REFUSED = 401
const STANDS_BY = 503
const DELIVERIES_MAX = 1024
const WARN_INTERVAL_MS = 60_000

export function forgeRoute(name: ForgeName, options: ReceiverOptions, onPush: Wakes['onPush']): HttpRoute {
  const forge = forges[name]
  return receiver(options, forge.isGenuine, forge.deliveryOf, (request) => {
    if (!forge.isPush(request)) return DONE
    const push = pushOf(request)
    if (push === null) return MALFORMED
    return onPush(push) ? DONE : STANDS_BY
  })
}

export function registryRoute(options: ReceiverOptions, onImages: Wakes['onImages']): HttpRoute {
  return receiver(
    options,
    isFromRegistry,
    () => undefined,
    (request) => {
      const repositories = pushedRepositories(request)
      if (repositories === null) return MALFORMED
      return repositories.length === 0 || onImages(repositories) ? DONE : STANDS_BY
    },
  )
}

/**
 * Nothing of a request is looked at before the secret is proven. What came before is answered as it was then and
 * wakes nobody; as no signature covers a delivery's id, waking is also limited in rate by who is woken.
 */
function receiver(
  { secretFile, logger, now }: ReceiverOptions,
  isGenuine: (request: HttpRequest, secret: string) => boolean,
  deliveryOf: (request: HttpRequest) => string | undefined,
  take: (request: HttpRequest) => number,
): HttpRoute {
  const seen = new Set<string>()
  let warnedAtMs = -WARN_INTERVAL_MS
  return async (request) => {
    if (!isGenuine(request, await readSecret(secretFile))) {
      if (now() - warnedAtMs >= WARN_INTERVAL_MS) {
        warnedAtMs = now()
        logger.warn({ secretFile }, 'webhook with a wrong secret refused')
      }
      return REFUSED
    }
    const delivery = createHash('sha256')
      .update(deliveryOf(request) ?? request.body)
      .digest('hex')
    if (seen.has(delivery)) return DONE
    const status = take(request)
    if (status === DONE) remember(seen, delivery)
    return status
  }
}

/** The oldest is forgotten first. */
function remember(seen: Set<string>, delivery: string): void {
  seen.add(delivery)
  const [oldest] = seen
  if (seen.size > DELIVERIES_MAX && oldest !== undefined) seen.delete(oldest)
}
