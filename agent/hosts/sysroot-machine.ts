import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import { execute, lastLine, run } from '../exec.ts'
import { mountsUnder } from './mount-table.ts'
import type { Machine } from './machine.ts'

export type SysrootOptions = {
  /** Mount point of the btrfs whose default subvolume is the running root. */
  readonly sysroot: string
  /** Block device of that btrfs, for example a loop device. */
  readonly device: string
  /** Outside of the sysroot: it plays the part of what a boot makes anew. */
  readonly runDir: string
}

const COMMAND_TIMEOUT_MS = 30_000
const UNMOUNT_TRIES_MAX = 50
const UNMOUNT_PAUSE_MS = 200

/**
 * A machine whose root is mounted elsewhere. Its reboot unmounts the root and mounts whatever the default
 * subvolume is by then; everything else about it is a real host's.
 */
export function sysrootMachine(options: SysrootOptions): Machine {
  const { sysroot, runDir } = options
  const bootIdPath = join(runDir, 'boot-id')
  return {
    root: sysroot,
    sysroot,
    // The mounts outlive the process, but a crash may have come between two of them.
    prepare: async (signal) => {
      await mkdir(runDir, { recursive: true })
      const mountPoints = new Set((await mountsUnder(sysroot)).map(({ mountPoint }) => mountPoint))
      if (mountPoints.has(sysroot) && mountPoints.has(join(sysroot, 'var'))) {
        await readBootId(bootIdPath).catch(() => newBootId(bootIdPath))
        return
      }
      await unmountAll(options, signal)
      await newBootId(bootIdPath)
      await mountAll(options, signal)
    },
    bootId: () => readBootId(bootIdPath),
    // Not stopped half-way by a signal: it is short, and bounded by itself.
    reboot: async () => {
      const signal = new AbortController().signal
      await unmountAll(options, signal).catch(async (error: unknown) => {
        await mountVarAgain(options, signal)
        throw error
      })
      // Before the mounts: a crash in between must not look like the old boot.
      await newBootId(bootIdPath)
      await mountAll(options, signal)
    },
  }
}

async function readBootId(path: string): Promise<string> {
  const bootId = (await readFile(path, 'utf8')).trim()
  if (bootId === '') throw new AgentError('InspectFailed', `reading ${path}: it is empty`)
  return bootId
}

async function newBootId(path: string): Promise<void> {
  await writeDurably(path, `${randomUUID()}\n`, 0o644)
}

/** Newest mount first; never lazily, for a root that is still in use is not rebooted. */
async function unmountAll({ sysroot }: SysrootOptions, signal: AbortSignal): Promise<void> {
  let said = ''
  for (let tries = 1; tries <= UNMOUNT_TRIES_MAX; tries += 1) {
    const mounts = await mountsUnder(sysroot)
    const newest = mounts.at(-1)
    if (newest === undefined) return
    const attempt = `unmounting ${newest.mountPoint}`
    const options = { attempt, signal, timeoutMs: COMMAND_TIMEOUT_MS }
    const { exitCode, stderr } = await execute(['umount', newest.mountPoint], options)
    if (exitCode === 0) {
      tries -= 1
      continue
    }
    said = lastLine(stderr)
    await delay(UNMOUNT_PAUSE_MS, undefined, { signal }).catch(() => {})
  }
  throw new AgentError('MountFailed', `unmounting ${sysroot}: ${said}; end what uses it`)
}

async function mountAll({ sysroot, device }: SysrootOptions, signal: AbortSignal): Promise<void> {
  await mkdir(sysroot, { recursive: true })
  const mount = (target: string, ...flags: readonly string[]): Promise<string> =>
    run(['mount', '-t', 'btrfs', ...flags, device, target], {
      attempt: `mounting ${device} at ${target}`,
      signal,
      timeoutMs: COMMAND_TIMEOUT_MS,
    })
  await mount(sysroot)
  await mount(join(sysroot, 'var'), '-o', 'subvol=@var')
}

/** A reboot that did not happen must leave the store and the agent's state in their place. */
async function mountVarAgain({ sysroot, device }: SysrootOptions, signal: AbortSignal): Promise<void> {
  const target = join(sysroot, 'var')
  const mountPoints = (await mountsUnder(sysroot)).map(({ mountPoint }) => mountPoint)
  if (!mountPoints.includes(sysroot) || mountPoints.includes(target)) return
  await run(['mount', '-t', 'btrfs', '-o', 'subvol=@var', device, target], {
    attempt: `mounting ${device} at ${target} again`,
    signal,
    timeoutMs: COMMAND_TIMEOUT_MS,
  })
}
