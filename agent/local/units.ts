import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError, toAgentError } from '../errors.ts'
import { execute, run } from '../exec.ts'
import type { Command } from '../exec.ts'

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

export type UnitPlace = {
  /** Where the host's root is seen from here. */
  readonly root: string
  /** Whether a service manager runs there that starts and stops them. */
  readonly managed: boolean
}

/** The units of the agent that are there, and how they were. */
export type KnownUnits = UnitPlace & {
  readonly found: readonly string[]
  readonly enabled: readonly string[]
  readonly running: readonly string[]
}

export async function unitPlace(root: string): Promise<UnitPlace> {
  return { root, managed: root === '/' && (await exists('/run/systemd/system')) }
}

export async function findUnits(place: UnitPlace, signal: AbortSignal): Promise<KnownUnits> {
  const found: string[] = []
  for (const unit of UNITS) if (await isThere(place.root, unit)) found.push(unit)
  const options = { attempt: 'looking at the units', signal, timeoutMs: TIMEOUT_MS }
  const isSo = async (question: 'is-enabled' | 'is-active', unit: string): Promise<boolean> => {
    const { stdout } = await execute(systemctl(place, question, [unit]), options)
    return /^(enabled|enabled-runtime|active|activating|reloading)$/.test(stdout.trim())
  }
  const [enabled, running]: [string[], string[]] = [[], []]
  for (const unit of found) {
    if (await isSo('is-enabled', unit)) enabled.push(unit)
    if (place.managed && (await isSo('is-active', unit))) running.push(unit)
  }
  return { ...place, found, enabled, running }
}

export async function disableUnits(units: KnownUnits, signal: AbortSignal): Promise<string> {
  const { found, managed } = units
  if (found.length === 0) return 'no unit of bootfleet was there'
  const command = systemctl(units, 'disable', [...(managed ? ['--now'] : []), ...found])
  await run(command, { attempt: 'disabling the units', signal, timeoutMs: TIMEOUT_MS })
  return `disabled ${found.join(', ')}`
}

/** Puts them back to how they were, also where somebody has asked to stop, and says so in the error returned. */
export async function withUnitsRestored(error: unknown, units: KnownUnits): Promise<AgentError> {
  const failure = toAgentError('StateUnwritable', 'uninstalling', error)
  const { enabled, running } = units
  if (enabled.length + running.length === 0) return failure
  const options = {
    attempt: 'enabling the units again',
    signal: new AbortController().signal,
    timeoutMs: TIMEOUT_MS,
  }
  const done: string[] = []
  try {
    if (enabled.length > 0) {
      await run(systemctl(units, 'enable', enabled), options)
      done.push(`enabled again: ${enabled.join(', ')}`)
    }
    if (running.length > 0) {
      // One of them waits for minutes, and nobody here for it.
      await run(systemctl(units, 'start', ['--no-block', ...running]), options)
      done.push(`started again: ${running.join(', ')}`)
    }
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    done.push(`${found}; do it by hand: systemctl enable --now ${enabled.join(' ')}`)
  }
  return new AgentError(failure.code, [failure.message, ...done].join('; '), { cause: error })
}

function systemctl(
  { root, managed }: UnitPlace,
  verb: 'is-enabled' | 'is-active' | 'disable' | 'enable' | 'start',
  words: readonly string[],
): Command {
  return ['systemctl', ...(managed ? [] : [`--root=${root}`]), verb, ...words]
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
