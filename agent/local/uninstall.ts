import { journalPath, unfinishedAdoption } from '../adopt/journal.ts'
import type { AgentConfig, HostConfig } from '../config.ts'
import { AgentError } from '../errors.ts'
import { containerSnapProgram } from '../hosts/container-snap-program.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import type { KnownDeployment, Status } from '../hosts/container-snap-status.ts'
import { openMachine } from '../hosts/open-host.ts'
import { lockInstance } from '../instance-lock.ts'
import { purge } from './purge.ts'
import { disableUnits, findUnits, unitPlace, withUnitsRestored } from './units.ts'

export type UninstallOptions = {
  readonly config: AgentConfig
  readonly configPath: string
  /** Whether what the host is known by goes too. */
  readonly identity: 'kept' | 'purged'
  readonly signal: AbortSignal
  /** Default: where the host's root is seen from here. */
  readonly unitRoot?: string
}

type ContainerSnapConfig = Extract<HostConfig, { driver: 'container-snap' }>

const TIMEOUT_MS = 5 * 60_000

/**
 * Leaves a machine that goes on booting what it runs, with no agent and no tries counted. May be repeated. Where it
 * ends with an error, the units are as they were before.
 * @throws AgentError BlessFailed while something is on trial or waits for the next boot, AdoptRefused while an
 * adoption is not finished, AlreadyRunning.
 */
export async function uninstall(options: UninstallOptions): Promise<readonly string[]> {
  const { config, signal } = options
  const { host } = config
  const root = options.unitRoot ?? (host.driver === 'container-snap' ? openMachine(host).root : '/')
  await refuseUnfinished(root)
  if (host.driver === 'container-snap') refuseUnsettled(await statusOf(host, signal))
  const units = await findUnits(await unitPlace(root), signal)
  try {
    const lines = [await disableUnits(units, signal), ...(await leave(options))]
    const next = `the fleet still counts this host: bootfleet revoke host/${config.name} --reason uninstalled`
    return [...lines, next]
  } catch (error) {
    throw await withUnitsRestored(error, units)
  }
}

async function leave({ config, configPath, identity, signal }: UninstallOptions): Promise<readonly string[]> {
  const { host, stateDir } = config
  // Where no service manager stopped it, somebody else runs it.
  const lock = await lockInstance(stateDir)
  try {
    const settled = host.driver === 'container-snap' ? await settle(host, signal) : []
    return [...settled, ...(identity === 'purged' ? await purge(config, configPath) : [])]
  } finally {
    await lock.release()
  }
}

/** Its way back is only in the hands of these programs. */
async function refuseUnfinished(root: string): Promise<void> {
  if (!(await unfinishedAdoption(root))) return
  const found = `an adoption is not finished (${journalPath(root)})`
  const advice = 'end it first: bootfleet-agent adopt --finish, or back with bootfleet-agent adopt --undo'
  throw new AgentError('AdoptRefused', `uninstalling: ${found}; ${advice}`)
}

function programOf(host: ContainerSnapConfig) {
  const { command, env } = host
  return containerSnapProgram({ command, sysroot: openMachine(host).sysroot, env })
}

function statusOf(host: ContainerSnapConfig, signal: AbortSignal): Promise<Status> {
  return readStatus(programOf(host), signal)
}

/** Nobody would be there to take it back. */
function refuseUnsettled({ activated, current, default: next }: Status): KnownDeployment | null {
  if (current === null) return null
  if (next !== null && next.id !== current.id) {
    return refuse(`${next.id} boots next; reboot into it first, or stay with container-snap rollback`)
  }
  if (activated?.id === current.id || (current.triesLeft !== null && !current.blessed)) {
    const wait = 'wait for its verdict (bootfleet-agent status)'
    const decide = 'or decide: container-snap bless, or container-snap rollback and a reboot'
    return refuse(`${current.id}, which runs, is on trial; ${wait}, ${decide}`)
  }
  if (current.bad !== null) {
    return refuse(
      `${current.id}, which runs, is marked bad (${current.bad}); go back: container-snap rollback`,
    )
  }
  return current
}

function refuse(found: string): never {
  throw new AgentError('BlessFailed', `uninstalling: ${found}`)
}

/** Looked at again: what the agent had begun has ended by now, one way or the other. */
async function settle(host: ContainerSnapConfig, signal: AbortSignal): Promise<readonly string[]> {
  const current = refuseUnsettled(await statusOf(host, signal))
  if (current === null) return ['what runs is no deployment; nothing of how it boots was changed']
  const attempt = `blessing ${current.id}`
  await programOf(host)(['bless', current.id], {
    code: 'BlessFailed',
    attempt,
    signal,
    timeoutMs: TIMEOUT_MS,
  })
  return [`${current.id} runs, boots next, and boots without being tried; deployments and kernels stay`]
}
