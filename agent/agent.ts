import { join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from 'pino'
import type { AgentConfig, FollowingConfig } from './config.ts'
import { runBoots } from './boots.ts'
import { openContact } from './contact.ts'
import { AgentError } from './errors.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import { openHost } from './hosts/open-host.ts'
import { openSystemObserver } from './hosts/report-only.ts'
import { openIdentity } from './identity/identity.ts'
import type { Identity } from './identity/identity.ts'
import { openTrust } from './identity/trust.ts'
import type { HostTrust } from './identity/trust.ts'
import { lockInstance } from './instance-lock.ts'
import type { InstanceLock } from './instance-lock.ts'
import { openMailbox } from './mailbox.ts'
import { networkOf } from './network.ts'
import { observeUntilStopped } from './observing.ts'
import { planAgeOf } from './plan-age.ts'
import { isDeployed, prepareUntilDone } from './preparing.ts'
import { openNatsConnection, shownAddress } from './plans/nats-connection.ts'
import { subscribePlans } from './plans/subscriber.ts'
import type { Credentials } from './report/channel.ts'
import { openTelling } from './report/telling.ts'
import { openReporting } from './reporting.ts'
import { openSealing } from './sealing.ts'
import type { Sealing } from './sealing.ts'
import { peekState } from './state-file.ts'
import { awaitsVerdict } from './update/transition.ts'

export type AgentOptions = {
  readonly config: AgentConfig
  readonly log: Logger
  /** Default: {@link openNatsConnection}. */
  readonly connectNats?: typeof openNatsConnection
  /** Default: the one that the configuration names. */
  readonly driver?: HostDriver
  /** Between two rounds of health checks. Default: 1 s. */
  readonly checkIntervalMs?: number
  /** Default: 10 s. */
  readonly heartbeatMs?: number
  /** Between two looks at how old the newest plan is, and before the first. Default: 10 minutes. */
  readonly judgePlansEveryMs?: number
}

export type Agent = {
  readonly hostId: string
  /** Resolves when `signal` has fired and all is closed; rejects when the agent cannot go on. */
  readonly stopped: Promise<void>
}

const JUDGE_PLANS_EVERY_MS = 10 * 60 * 1000
const LOOK_EVERY_MS = 5 * 60 * 1000

/**
 * Start one agent; resolves when it knows who it is, which may take until somebody enrols it.
 * @throws AgentError AlreadyRunning, IdentityInvalid, Stopped.
 */
export async function startAgent(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
  const { config, log } = options
  // Before anything is mounted: another agent may be in the middle of a reboot.
  const lock = await lockInstance(config.stateDir)
  try {
    const begin = await madeReady(options, signal)
    const sealing = openSealing({ config, log, signal })
    await sealing.settle()
    const identity = await openIdentity({ directory: config.identityDir, keys: sealing.keys, log, signal })
    // They may have been made just now.
    await sealing.look()
    const trust = await openTrust({
      identityDir: config.identityDir,
      path: join(config.stateDir, 'trust.jsonl'),
      log,
    })
    return { hostId: identity.hostId, stopped: releaseAfter(begin({ identity, sealing, trust }), lock) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

type Known = { readonly identity: Identity; readonly sealing: Sealing; readonly trust: HostTrust }

/** What the agent is for, to be begun when it knows who it is. */
async function madeReady(
  options: AgentOptions,
  signal: AbortSignal,
): Promise<(known: Known) => Promise<void>> {
  const { config, log } = options
  const observing = (lookEveryMs: number) => (known: Known) => {
    const observe = openSystemObserver({ root: '/' })
    return observeUntilStopped({ ...options, ...known, observe, lookEveryMs }, signal)
  }
  if (config.nats === null) return observing(config.host.lookEveryMs)
  const driver = options.driver ?? (await openHost(config.host, config.stateDir))
  // The state directory may lie in the host that this mounts.
  await prepareUntilDone(driver, log, signal)
  const state = await peekState(join(config.stateDir, 'state.json'))
  // A trial that ended in a root that is no deployment is to be told as a failure.
  if ((state !== null && awaitsVerdict(state)) || (await isDeployed(driver, log, signal)))
    return (known) => run({ ...options, ...known, config, driver }, signal)
  log.warn('what runs is no deployment, so this host only reports: bootfleet-agent adopt makes it one')
  return observing(LOOK_EVERY_MS)
}

async function releaseAfter(running: Promise<void>, lock: InstanceLock): Promise<void> {
  try {
    await running
  } finally {
    await lock.release()
  }
}

type RunOptions = AgentOptions & Known & { readonly config: FollowingConfig; readonly driver: HostDriver }

async function run(options: RunOptions, outer: AbortSignal): Promise<void> {
  const { config, log } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([outer, failed.signal])
  const mailbox = openMailbox()
  const contact = openContact()
  let lastPlan: Uint8Array | null = null
  const onPlan = (bytes: Uint8Array): void => {
    contact.note()
    lastPlan = bytes
    mailbox.putPlan(bytes)
  }
  const onTrusted = (): void => {
    // It may be by a key that nobody knew when the plan came.
    if (lastPlan !== null) mailbox.putPlan(lastPlan)
  }
  const onAnswer = (): void => contact.note()
  const { closed, credentials, reporter } = openReporting({ ...options, onAnswer, onTrusted }, signal)
  const tellingOf = openTelling({
    report: (report) => reporter.report(report),
    staleSinceMs: planAgeOf(options),
    judgeEveryMs: options.judgePlansEveryMs ?? JUDGE_PLANS_EVERY_MS,
    log,
    signal,
  })
  const following = followPlans({ ...options, credentials, onPlan }, signal)
  following.catch(() => failed.abort())
  const network = networkOf(config, credentials)
  try {
    await runBoots({ ...options, tellingOf, reporter, mailbox, contact, network }, signal)
  } finally {
    failed.abort()
    await Promise.all([closed, following])
  }
}

async function followPlans(
  options: RunOptions & {
    readonly credentials: () => Credentials
    readonly onPlan: (bytes: Uint8Array) => void
  },
  signal: AbortSignal,
): Promise<void> {
  const { config, identity, credentials, onPlan, log } = options
  const { hostId, nats: user } = identity
  const { connectNats = openNatsConnection } = options
  const opening = connectNats({ url: config.nats.url, hostId, user, credentials })
  const connection = await untilStopped(opening, signal)
  if (connection === null) return
  try {
    await subscribePlans({ connection, hostId, onPlan, log, signal })
    if (!signal.aborted) {
      throw new AgentError(
        'PlansLost',
        `following plans at ${shownAddress(config.nats.url)}: the connection closed for good`,
      )
    }
  } finally {
    await connection.close()
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
