import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentConfig, HostConfig } from '../config.ts'
import { AgentError } from '../errors.ts'
import { run } from '../exec.ts'
import { containerSnapProgram } from '../hosts/container-snap-program.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import type { KnownDeployment, Status } from '../hosts/container-snap-status.ts'
import { openMachine } from '../hosts/open-host.ts'
import { lockInstance } from '../instance-lock.ts'

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

/** The one that keeps the root read-only stays: without it the machine would run in another way than before. */
const UNITS = [
  'bootfleet-agent.service',
  'bootfleet-health.service',
  'bootfleet-emergency.service',
  'container-snap-repair.service',
  'container-snap-bless.service',
] as const
const UNIT_DIRS = ['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system'] as const
const TIMEOUT_MS = 5 * 60_000

/**
 * Leaves a machine that goes on booting what it runs, with no agent and no tries counted. May be repeated.
 * @throws AgentError BlessFailed while something is on trial or waits for the next boot, AlreadyRunning.
 */
export async function uninstall(options: UninstallOptions): Promise<readonly string[]> {
  const { config, signal } = options
  const { host } = config
  const isOurs = host.driver === 'container-snap'
  if (isOurs) refuseUnsettled(await statusOf(host, signal))
  const lines = [...(await disableUnits(options))]
  // Where no service manager stopped it, somebody else runs it.
  const lock = await lockInstance(config.stateDir)
  try {
    if (isOurs) lines.push(...(await settle(host, signal)))
    if (options.identity === 'purged') lines.push(...(await purge(options)))
  } finally {
    await lock.release()
  }
  const next = `the fleet still counts this host: bootfleet revoke host/${config.name} --reason uninstalled`
  return [...lines, next]
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

async function disableUnits(options: UninstallOptions): Promise<readonly string[]> {
  const { config, signal } = options
  const machine = config.host.driver === 'container-snap' ? openMachine(config.host) : null
  const root = options.unitRoot ?? machine?.root ?? '/'
  const found: string[] = []
  for (const unit of UNITS) if (await isThere(root, unit)) found.push(unit)
  if (found.length === 0) return ['no unit of bootfleet was there']
  const runs = root === '/' && (await exists('/run/systemd/system'))
  const how = runs ? ['disable', '--now'] : [`--root=${root}`, 'disable']
  await run(['systemctl', ...how, ...found], {
    attempt: 'disabling the units',
    signal,
    timeoutMs: TIMEOUT_MS,
  })
  return [`disabled ${found.join(', ')}`]
}

async function isThere(root: string, unit: string): Promise<boolean> {
  const there = await Promise.all(UNIT_DIRS.map((directory) => exists(join(root, directory, unit))))
  return there.includes(true)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Keys, what they vouch for, plans and the configuration. */
async function purge({ config, configPath }: UninstallOptions): Promise<readonly string[]> {
  const paths = [config.identityDir, config.stateDir, configPath]
  for (const path of paths) await rm(path, { recursive: true, force: true })
  return [`removed ${paths.join(', ')}`]
}
