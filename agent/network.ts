import type { Network } from './checks.ts'
import type { FollowingConfig } from './config.ts'
import type { Credentials } from './report/channel.ts'

/** What TLS is asked for; nothing is judged by it. */
const CONTROLLER_NAME = 'bootfleet-controller'

/** Whom this host can ask whether it has a network. */
export function networkOf(config: FollowingConfig, credentials: () => Credentials): Network {
  const { address: controller, serverName = CONTROLLER_NAME } = config.controller
  return { controller, serverName, natsUrl: config.nats.url, credentials }
}
