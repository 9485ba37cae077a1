import type { NatsConnection } from '@nats-io/transport-node'
import * as z from 'zod'
import { ControllerError } from '../errors.ts'
import { withTimeLimit } from '../time-limit.ts'

type Version = readonly [major: number, minor: number, patch: number]

/** Older ones lose streams or decide compare-and-swap wrongly; 2.13 was fixed only in 2.14.3. */
const FLOOR: Version = [2, 14, 3]
const FLOOR_OF_2_12: Version = [2, 12, 12]
const MONITOR_TIMEOUT_MS = 5_000

const Varz = z.object({
  jetstream: z
    .object({ config: z.object({ sync_always: z.boolean().default(false) }).optional() })
    .optional(),
})

const UserInfo = z.object({ data: z.object({ account: z.string() }) })

/**
 * A server that does not know operators takes any user, and gives all of them one account.
 * @throws ControllerError StoreNotOurs unless the server holds us to our own.
 */
export async function requireAccount(connection: NatsConnection, account: string): Promise<void> {
  const found = await connection
    .request('$SYS.REQ.USER.INFO', '', { timeout: MONITOR_TIMEOUT_MS })
    .then((reply) => UserInfo.parse(reply.json()).data.account)
    .catch(() => 'unknown')
  if (found === account) return
  throw new ControllerError(
    'StoreNotOurs',
    `checking the nats server: it holds this controller to the account ${found} instead of ${account}; run nats-server with the folder "nats" of the bootfleet trust init that pki.dir comes from`,
  )
}

/** @throws ControllerError StoreTooOld for a server whose acknowledgements or compare-and-swap cannot be trusted. */
export function requireVersion(text: string): void {
  const version = parseVersion(text)
  if (version !== null) {
    const floor = version[0] === 2 && version[1] === 12 ? FLOOR_OF_2_12 : FLOOR
    if (compare(version, floor) >= 0) return
  }
  throw new ControllerError(
    'StoreTooOld',
    `checking the nats server: it is version ${text}, and 2.14.3 or newer (2.12.12 in the 2.12 line) is required because older ones lose acknowledged writes; upgrade nats-server`,
  )
}

/**
 * @throws ControllerError StoreNotDurable unless JetStream syncs every write to disk before it acknowledges;
 * StoreUnavailable when the monitoring address does not answer.
 */
export async function requireSyncAlways(monitorUrl: string, signal: AbortSignal): Promise<void> {
  const config = (await readVarz(monitorUrl, signal)).jetstream?.config
  if (config?.sync_always === true) return
  const found = config === undefined ? 'jetstream is not enabled' : 'jetstream acknowledges before it syncs'
  throw new ControllerError(
    'StoreNotDurable',
    `checking the nats server at ${new URL(monitorUrl).origin}: ${found}; set "sync_interval: always" in the jetstream block of its configuration and restart it`,
  )
}

async function readVarz(monitorUrl: string, signal: AbortSignal): Promise<z.infer<typeof Varz>> {
  const address = new URL('varz', monitorUrl.endsWith('/') ? monitorUrl : `${monitorUrl}/`)
  try {
    return await withTimeLimit(signal, MONITOR_TIMEOUT_MS, async (bounded) => {
      const response = await fetch(address, { signal: bounded })
      return Varz.parse(await response.json())
    })
  } catch (cause) {
    throw new ControllerError(
      'StoreUnavailable',
      `reading ${address.origin}${address.pathname}: no usable answer; check nats.monitorUrl and that nats-server runs with an http monitoring port`,
      { cause },
    )
  }
}

function parseVersion(text: string): Version | null {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(text)
  return match === null ? null : [Number(match[1]), Number(match[2]), Number(match[3])]
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
}
