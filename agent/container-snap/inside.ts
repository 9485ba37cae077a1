import { readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { resolveInside } from './boot/inside-root.ts'
import type { Context } from './context.ts'
import { SnapError } from './errors.ts'
import type { Command, RunOptions } from './exec.ts'
import { holdMountNamespace, passThrough, run } from './exec.ts'

/** A root with /dev, /proc, /sys and /run of the running system in it, seen by what runs inside alone. */
export type Inside = {
  run: (command: Command, options: Omit<RunOptions, 'signal'>) => Promise<string>
  passThrough: (command: Command, attempt: string) => Promise<number>
}

const bound = ['dev', 'proc', 'sys', 'run']

/**
 * `binds`: what else is bound where the root has a folder for it. Whatever still runs inside when `act` is done
 * is ended: nothing of it is left, no mount and no process.
 */
export async function withInside<T>(
  context: Pick<Context, 'signal'>,
  { root, binds = [] }: { root: string; binds?: readonly { source: string; path: string }[] },
  act: (inside: Inside) => Promise<T>,
): Promise<T> {
  const { signal } = context
  for (const name of bound) await requireFolder(root, name)
  const namespace = await holdMountNamespace(signal)
  const enter = (command: Command): Command => [
    'nsenter',
    '--target',
    String(namespace.pid),
    '--mount',
    '--',
    'setpriv',
    '--pdeathsig',
    'KILL',
    '--',
    ...command,
  ]
  const bind = async (source: string, target: string, how = '--rbind'): Promise<void> => {
    const attempt = `bind ${source} to ${target}`
    await run(enter(['mount', how, source, target]), { signal, attempt })
  }
  const inRoot = (command: Command): Command => enter(['chroot', root, ...command])
  try {
    // A root that is no mount point has no file system for those who ask, grub2-mkconfig among them.
    await bind(root, root, '--bind')
    for (const name of bound) await bind(`/${name}`, join(root, name))
    const resolver = await resolverToBind(root)
    if (resolver !== null) await bind(resolver.source, resolver.target)
    for (const { source, path } of binds) {
      const target = await resolveInside(root, path)
      if (target !== null && (await stat(target)).isDirectory()) await bind(source, target, '--bind')
    }
    return await act({
      run: async (command, options) => run(inRoot(command), { ...options, signal }),
      passThrough: async (command, attempt) => passThrough(inRoot(command), { signal, attempt }),
    })
  } finally {
    await endProcesses(namespace.pid)
    await namespace.release()
  }
}

async function requireFolder(root: string, name: string): Promise<void> {
  const path = join(root, name)
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder && (await resolveInside(root, name)) === path) return
  throw new SnapError('refused', `run in ${root}: it has no folder /${name} to bind the system's to`)
}

/** A link to /run is as good as the system's own by now, and a root without the file is not given one. */
async function resolverToBind(root: string): Promise<{ source: string; target: string } | null> {
  const target = await resolveInside(root, 'etc/resolv.conf')
  const source = await realpath('/etc/resolv.conf').catch(() => null)
  if (target === null || source === null || target.startsWith(join(root, 'run/'))) return null
  return (await stat(target)).isFile() ? { source, target } : null
}

const waitMs = 50
const politeWaits = 40
const waitsMax = 140

async function endProcesses(holder: number): Promise<void> {
  for (let waited = 0; waited < waitsMax; waited += 1) {
    const left = await processesBeside(holder)
    if (left.length === 0) return
    const signal = waited < politeWaits ? 'SIGTERM' : 'SIGKILL'
    for (const pid of left) end(pid, signal)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

async function processesBeside(holder: number): Promise<number[]> {
  const namespaceOf = async (pid: number | string): Promise<string | null> =>
    readlink(`/proc/${pid}/ns/mnt`).catch(() => null)
  const wanted = await namespaceOf(holder)
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== holder)
  const found = await Promise.all(
    pids.map(async (pid) => (wanted !== null && (await namespaceOf(pid)) === wanted ? [Number(pid)] : [])),
  )
  return found.flat()
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it is gone already
  }
}
