import { access, mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import { execute, findLine, run } from '../exec.ts'
import type { Command } from '../exec.ts'
import { containerSnapProgram } from '../hosts/container-snap-program.ts'
import type { Call as Snap } from '../hosts/container-snap-program.ts'
import type { Journal } from './journal.ts'
import type { Mounted } from './mounts.ts'
import { mountsOf, requireRoot } from './mounts.ts'

export type WorkOptions = {
  readonly sysroot: string
  readonly env: Readonly<Record<string, string>>
  readonly programPath: string
  readonly signal: AbortSignal
}

/** The machine as its new root will see it, at a place of our own: what runs is not touched. */
export type Workplace = {
  /** The file system's top level. */
  readonly top: string
  /** The old root, with what the new root mounts over it. */
  readonly root: string
  readonly snap: Snap
  readonly call: (command: Command, attempt: string) => Promise<string>
}

/** The first line of what a program says that is wanted; null: none is. */
export type Find = (
  command: Command,
  attempt: string,
  isWanted: (line: string) => boolean,
) => Promise<string | null>

const QUICK_MS = 10 * 60_000
const COPY_MS = 4 * 3_600_000
const PLACE = '/run/bootfleet-adopt'

/** One for a file system, wherever the machine is mounted. */
export function workplaceOf({ uuid }: Pick<Mounted, 'uuid'>): string {
  return join(PLACE, uuid)
}

export function caller({ signal }: Pick<WorkOptions, 'signal'>): Workplace['call'] {
  return async (command, attempt) => {
    const timeoutMs = command[0] === 'cp' ? COPY_MS : QUICK_MS
    return run(command, { attempt, signal, timeoutMs })
  }
}

export function finder({ signal }: Pick<WorkOptions, 'signal'>): Find {
  return (command, attempt, isWanted) => findLine(command, { attempt, signal, timeoutMs: QUICK_MS }, isWanted)
}

/** With the top level mounted, for as long as the work takes. */
export async function withTopLevel<T>(
  options: WorkOptions,
  work: (top: string, root: Mounted) => Promise<T>,
): Promise<T> {
  const root = requireRoot(await mountsOf(options.sysroot, options), options.sysroot)
  const place = workplaceOf(root)
  const call = caller(options)
  // Of one that was killed.
  await unmount(place)
  const top = join(place, 'top')
  await mkdir(top, { recursive: true, mode: 0o700 })
  try {
    await call(['mount', '-t', 'btrfs', '-o', 'subvolid=5', root.source, top], `mount ${root.source}`)
    return await work(top, root)
  } finally {
    await unmount(place)
  }
}

/** With all of it mounted; the subvolumes that are to be made must be there. */
export async function withWorkplace<T>(
  options: WorkOptions,
  journal: Journal,
  work: (place: Workplace) => Promise<T>,
): Promise<T> {
  return withTopLevel(options, async (top, { source }) => {
    const root = join(top, '..', 'root')
    const call = caller(options)
    const mount = async (subvolume: string, at: string): Promise<void> => {
      const how = subvolume === '/' ? 'subvolid=5' : `subvol=${subvolume.replace(/^\//, '')}`
      await mkdir(join(root, at), { recursive: true })
      await call(
        ['mount', '-t', 'btrfs', '-o', how, source, join(root, at)],
        `mount ${subvolume} of ${source}`,
      )
    }
    await mount(journal.root.subvolume, '')
    for (const { at } of await mountsOf(options.sysroot, options))
      if (isNeeded(at, journal))
        await call(['mount', '--bind', join(options.sysroot, at), join(root, at)], `bind ${at}`)
    // Only what the store needs: a mount point that the old root lacks would be made in it.
    const made = journal.created.map(({ name, at }) => ({ subvolume: name, at }))
    for (const { subvolume, at } of [...journal.mountings, ...made])
      if (/^\/var(\/|$)/.test(at)) await mount(subvolume, at)
    return work({ top, root, snap: await snapOf(options, root), call })
  })
}

/** What is copied has its own mount, and the rest of the running system is of no concern. */
function isNeeded(at: string, { created }: Journal): boolean {
  const wanted = at === '/var' || at === '/efi' || at === '/boot' || at.startsWith('/boot/')
  return wanted && !created.some((one) => one.at === at)
}

export async function snapOf({ programPath, env }: WorkOptions, sysroot: string): Promise<Snap> {
  const command = await programIn(programPath, 'container-snap')
  return containerSnapProgram({ command, sysroot: sysroot === '/' ? null : sysroot, env })
}

async function programIn(programPath: string, name: string): Promise<string> {
  for (const folder of programPath.split(':')) {
    const path = join(folder, name)
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new AgentError('ExecMissing', `look for ${name}: it is not installed`)
}

/**
 * What was ended by a signal must be cleaned up too. Folders go only once they are empty: whatever is mounted there
 * after all is the machine's own.
 */
async function unmount(place: string): Promise<void> {
  const attempt = `unmount ${place}`
  const options = { attempt, signal: new AbortController().signal, timeoutMs: QUICK_MS }
  for (const name of ['root', 'top']) {
    const path = join(place, name)
    const mounted = await execute(['findmnt', '--mountpoint', path], options)
    if (mounted.exitCode === 0) await run(['umount', '--recursive', path], options)
    await removeEmpty(path, attempt)
  }
  await removeEmpty(place, attempt)
}

async function removeEmpty(path: string, attempt: string): Promise<void> {
  await rmdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return
    const found = `${path} is not empty, or something is mounted there (${error.code})`
    const remedy = `see what it is (findmnt, ls), unmount it or move it away, and say the same again`
    throw new AgentError('MountFailed', `${attempt}: ${found}; ${remedy}`, { cause: error })
  })
}
