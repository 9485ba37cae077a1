import { realpath } from 'node:fs/promises'
import * as z from 'zod'
import { AgentError } from '../errors.ts'
import { run } from '../exec.ts'

/** What is mounted at the machine's root or below it. */
export type Mounted = {
  /** As the machine sees it: `/`, `/var`. */
  readonly at: string
  readonly source: string
  readonly type: string
  readonly uuid: string
  /** Path from the top level of the file system. */
  readonly root: string
  readonly options: string
}

const Table = z.object({
  filesystems: z.array(
    z.object({
      target: z.string(),
      source: z.string().nullable(),
      fstype: z.string(),
      uuid: z.string().nullable(),
      fsroot: z.string(),
      options: z.string(),
    }),
  ),
})

export type Call = { readonly signal: AbortSignal }
const TIMEOUT_MS = 60_000

/** Of several at one place the last one, which is what is seen. */
export async function mountsOf(sysroot: string, { signal }: Call): Promise<readonly Mounted[]> {
  const attempt = `list what is mounted at ${sysroot}`
  const base = await realpath(sysroot)
  const columns = 'TARGET,SOURCE,FSTYPE,UUID,FSROOT,OPTIONS'
  const text = await run(['findmnt', '--json', '--list', '--nofsroot', '--output', columns], {
    attempt,
    signal,
    timeoutMs: TIMEOUT_MS,
  })
  const parsed = Table.safeParse(JSON.parse(text))
  if (!parsed.success) throw new AgentError('InspectFailed', `${attempt}: ${z.prettifyError(parsed.error)}`)
  const prefix = base === '/' ? '' : base
  const seen = new Map<string, Mounted>()
  for (const { target, source, fstype, uuid, fsroot, options } of parsed.data.filesystems) {
    if (target !== base && !target.startsWith(`${prefix}/`)) continue
    const at = target.slice(prefix.length) || '/'
    seen.set(at, { at, source: source ?? '', type: fstype, uuid: uuid ?? '', root: fsroot, options })
  }
  return [...seen.values()]
}

export function requireRoot(mounts: readonly Mounted[], sysroot: string): Mounted {
  const root = mounts.find(({ at }) => at === '/')
  if (root !== undefined) return root
  throw new AgentError(
    'InspectFailed',
    `look at the machine in ${sysroot}: nothing is mounted there; mount its root file system, and what it has below it`,
  )
}

/** As the program prints it; it must succeed. */
export async function btrfs(words: readonly string[], attempt: string, { signal }: Call): Promise<string> {
  return run(['btrfs', ...words], { attempt, signal, timeoutMs: 10 * TIMEOUT_MS })
}

export type ListedSubvolume = { readonly id: number; readonly path: string }

/** By path from the top level. */
export async function subvolumesOf(at: string, call: Call): Promise<readonly ListedSubvolume[]> {
  const text = await btrfs(['subvolume', 'list', at], `list the subvolumes of ${at}`, call)
  return [...text.matchAll(/^ID (\d+) gen \d+ top level \d+ path (.*)$/gm)].map(([, id, path = '']) => ({
    id: Number(id),
    path,
  }))
}

export async function defaultSubvolume(at: string, call: Call): Promise<number> {
  const text = await btrfs(['subvolume', 'get-default', at], `read the default subvolume of ${at}`, call)
  return Number(/^ID\s+(\d+)/.exec(text)?.[1] ?? 5)
}
