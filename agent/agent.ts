import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import { AgentError } from './errors.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import { openHost } from './hosts/open-host.ts'
import { openIdentity } from './identity/identity.ts'
import type { Identity } from './identity/identity.ts'
import { lockInstance } from './instance-lock.ts'
import type { InstanceLock } from './instance-lock.ts'
import { runBoot } from './loop.ts'
import { openMailbox } from './mailbox.ts'
import { openNatsConnection } from './plans/nats-connection.ts'
import { subscribePlans } from './plans/subscriber.ts'
import { toReport } from './report/report.ts'
import type { HostDescription } from './report/report.ts'
import { openReporter } from './report/reporter.ts'
import { backoffMs } from './update/backoff.ts'
import { VERSION } from '../proto/version.ts'

export type AgentOptions = {
  readonly config: AgentConfig
  readonly log: Logger
  /** Shared by agents of one process; the agent leaves it open. Default: one of its own. */
  readonly natsConnection?: NatsConnection
  /** Default: the one that the configuration names. */
  readonly driver?: HostDriver
  /** Between two rounds of health checks. Default: 1 s. */
  readonly checkIntervalMs?: number
  /** Default: 10 s. */
  readonly heartbeatMs?: number
}

export type Agent = {
  readonly hostId: string
  /** Resolves when `signal` has fired and all is closed; rejects when the agent cannot go on. */
  readonly stopped: Promise<void>
}

const PREPARE_RETRY = { baseMs: 1_000, maxMs: 30_000 }

/**
 * Start one agent; resolves when it knows who it is, which may take until somebody enrols it.
 * @throws AgentError AlreadyRunning, IdentityInvalid, Stopped.
 */
export async function startAgent(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
  const { config, log } = options
  // Before anything is mounted: another agent may be in the middle of a reboot.
  const lock = await lockInstance(config.stateDir)
  try {
    const driver = options.driver ?? (await openHost(config.host, config.stateDir))
    // The state directory may lie in the host that this mounts.
    await prepareUntilDone(driver, log, signal)
    const identity = await openIdentity({ directory: config.identityDir, log, signal })
    const running = run({ ...options, driver, identity }, signal)
    return { hostId: identity.hostId, stopped: releaseAfter(running, lock) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function releaseAfter(running: Promise<void>, lock: InstanceLock): Promise<void> {
  try {
    await running
  } finally {
    await lock.release()
  }
}

type RunOptions = AgentOptions & {
  readonly driver: HostDriver
  readonly identity: Identity
}

async function run(options: RunOptions, outer: AbortSignal): Promise<void> {
  const { config, identity, driver, log } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([outer, failed.signal])
  const mailbox = openMailbox()
  const heartbeat = options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }
  const reporter = openReporter({ ...config.controller, ...identity, ...heartbeat, log, signal })
  const following = followPlans(options, (bytes) => mailbox.putPlan(bytes), signal)
  following.catch(() => failed.abort())
  try {
    let ended: 'Rebooted' | 'Stopped' = 'Rebooted'
    while (ended === 'Rebooted' && !signal.aborted) {
      const host = await describe(options)
      ended = await runBoot({
        driver,
        identity,
        mailbox,
        log,
        signal,
        statePath: join(config.stateDir, 'state.json'),
        checkIntervalMs: options.checkIntervalMs ?? 1_000,
        onState: (state) => reporter.report(toReport(state, host)),
        onProgress: (doneBytes, totalBytes) => reporter.progress(doneBytes, totalBytes),
      })
    }
  } finally {
    failed.abort()
    await Promise.all([reporter.closed, following])
  }
}

async function describe({ driver, config }: RunOptions): Promise<HostDescription> {
  const { id: osId, version: osVersion } = await driver.osRelease()
  const { architecture, name } = driver
  return { hostName: config.name, architecture, osId, osVersion, agentVersion: VERSION, driver: name }
}

async function followPlans(
  options: RunOptions,
  onPlan: (bytes: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const { config, identity, log } = options
  const { hostId } = identity
  const own = options.natsConnection === undefined
  const opening =
    options.natsConnection ?? openNatsConnection({ url: config.nats.url, name: `agent ${hostId}` })
  const connection = await untilStopped(Promise.resolve(opening), signal)
  if (connection === null) return
  try {
    await subscribePlans({ connection, hostId, onPlan, log, signal })
    if (!signal.aborted) {
      throw new AgentError(
        'PlansLost',
        `following plans at ${config.nats.url}: the connection closed for good`,
      )
    }
  } finally {
    if (own) await connection.close()
  }
}

/** The library has no way to stop a first connect; one that comes late is closed. */
async function untilStopped(
  opening: Promise<NatsConnection>,
  signal: AbortSignal,
): Promise<NatsConnection | null> {
  const stopped = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const first = await Promise.race([opening, stopped])
  if (first === null) void opening.then((late) => late.close()).catch(() => {})
  return first
}

async function prepareUntilDone(driver: HostDriver, log: Logger, signal: AbortSignal): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await driver.prepare(signal)
      return
    } catch (error) {
      if (signal.aborted) break
      log.error({ err: error }, 'preparing the host failed')
      const waitMs = backoffMs(failures, Math.random(), PREPARE_RETRY)
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
  throw new AgentError('Stopped', 'preparing the host: stopped')
}
