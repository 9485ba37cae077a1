import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { run } from '../exec.ts'

export type Subvolume = { id: number; uuid: string; path: string }

/** `btrfs subvolume list -u`. Paths are relative to the top level or to the mount, depending on the subvolume. */
export function parseSubvolumes(text: string): Subvolume[] {
  const subvolumes: Subvolume[] = []
  for (const line of text.split('\n')) {
    const [, id, uuid, path] = /^ID (\d+) .*?\buuid (\S+) path (.*)$/.exec(line) ?? []
    if (id === undefined || uuid === undefined || path === undefined) continue
    subvolumes.push({ id: Number(id), uuid, path })
  }
  return subvolumes
}

/** `btrfs subvolume list -s` under TZ=UTC: subvolume id to creation time. */
export function parseCreationTimes(text: string): Map<number, string> {
  const times = new Map<number, string>()
  for (const match of text.matchAll(/^ID (\d+) .*?\botime (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) /gm)) {
    times.set(Number(match[1]), `${match[2]}T${match[3]}Z`)
  }
  return times
}

export function parseDefaultId(text: string): number | null {
  const id = /^ID\s+([0-9]+)/.exec(text)?.[1]
  return id === undefined ? null : Number(id)
}

export async function listSubvolumes(context: Context, at: string): Promise<Subvolume[]> {
  const { signal } = context
  return parseSubvolumes(
    await run(['btrfs', 'subvolume', 'list', '-u', at], { signal, attempt: listing(at) }),
  )
}

export async function listReadonlyIds(context: Context, at: string): Promise<ReadonlySet<number>> {
  const { signal } = context
  const text = await run(['btrfs', 'subvolume', 'list', '-u', '-r', at], { signal, attempt: listing(at) })
  return new Set(parseSubvolumes(text).map((subvolume) => subvolume.id))
}

export async function listCreationTimes(context: Context, at: string): Promise<Map<number, string>> {
  const { signal } = context
  return parseCreationTimes(
    await run(['btrfs', 'subvolume', 'list', '-s', at], { signal, attempt: listing(at) }),
  )
}

function listing(at: string): string {
  return `list the subvolumes of ${at}`
}

/** The default is the file system's; asked at the store, it is known on an overlay root too. */
export async function defaultSubvolumeId(context: Context): Promise<number> {
  const { base, sysroot } = context.paths
  const attempt = `read the default subvolume of ${sysroot}`
  const text = await run(['btrfs', 'subvolume', 'get-default', base], { signal: context.signal, attempt })
  const id = parseDefaultId(text)
  if (id === null) throw new SnapError('storage-failed', `${attempt}: not understood: ${text.trim()}`)
  return id
}

export async function setDefaultSubvolume(context: Context, id: number): Promise<void> {
  const { base, sysroot } = context.paths
  await run(['btrfs', 'subvolume', 'set-default', String(id), base], {
    signal: context.signal,
    attempt: `make subvolume ${id} the default of ${sysroot}`,
  })
}

export async function snapshotSubvolume(context: Context, source: string, target: string): Promise<void> {
  await run(['btrfs', 'subvolume', 'snapshot', source, target], {
    signal: context.signal,
    attempt: `snapshot ${source} to ${target}`,
  })
}

export async function createSubvolume(context: Context, path: string): Promise<void> {
  await run(['btrfs', 'subvolume', 'create', path], {
    signal: context.signal,
    attempt: `create the subvolume ${path}`,
  })
}

/** Committed before it returns: without that a power cut brings the subvolume back. */
export async function deleteSubvolume(context: Context, path: string): Promise<void> {
  await run(['btrfs', 'subvolume', 'delete', '--commit-after', path], {
    signal: context.signal,
    attempt: `delete the subvolume ${path}`,
  })
}

export async function setSubvolumeReadonly(context: Context, path: string, readonly: boolean): Promise<void> {
  await run(['btrfs', 'property', 'set', '-ts', path, 'ro', String(readonly)], {
    signal: context.signal,
    attempt: `make ${path} ${readonly ? 'read-only' : 'writable'}`,
  })
}

/** Writes out the whole file system: all subvolumes of it, not only the one at `path`. */
export async function syncFileSystem(context: Context, path: string): Promise<void> {
  await run(['btrfs', 'filesystem', 'sync', path], {
    signal: context.signal,
    attempt: `sync the file system at ${path}`,
    timeoutMs: 600_000,
  })
}
