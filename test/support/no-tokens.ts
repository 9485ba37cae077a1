import { ControllerError } from '../../controller/errors.ts'
import type { TokenOrders } from '../../controller/joins/token-orders.ts'

const noToken = (): Promise<never> => Promise.reject(new ControllerError('NotFound', 'no such token'))

/** Of a controller that has none. */
export const noTokens: TokenOrders = {
  create: noToken,
  tokens: () => Promise.resolve([]),
  revoke: noToken,
  requests: () => Promise.resolve([]),
  approve: noToken,
  deny: noToken,
}
