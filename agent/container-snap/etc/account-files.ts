import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { resolveInside } from '../boot/inside-root.ts'
import type { Entry } from '../trees/tree.ts'
import type { Database, KnownNames, Texts } from './accounts.ts'
import { databases, linesOf, mergeAccounts } from './accounts.ts'
import type { EtcListings, Step } from './plan.ts'

export type AccountPlan = {
  /** Those that are files on both sides; the rest is merged like other files. */
  byLine: ReadonlySet<string>
  steps: readonly Step[]
  conflicts: readonly string[]
  carried: number
}

export async function planAccounts(
  listings: EtcListings,
  roots: Readonly<Record<keyof EtcListings, string>>,
  alwaysNew: (path: string) => boolean,
): Promise<AccountPlan> {
  const { base, local, next } = listings
  const byLine = databases.filter((name) => {
    const former = base.get(name)
    const isMergeable = local.get(name)?.kind === 'file' && next.get(name)?.kind === 'file'
    return isMergeable && (former === undefined || former.kind === 'file') && !alwaysNew(name)
  })
  const texts = new Map<Database, Texts>()
  for (const name of byLine) {
    texts.set(name, {
      base: base.has(name) ? await read(roots.base, name) : '',
      local: await read(roots.local, name),
      next: await read(roots.next, name),
    })
  }
  const merged = mergeAccounts(texts, await knownNames(dirname(roots.next)))
  const steps = byLine.flatMap((path): Step[] => {
    const text = merged.texts.get(path) ?? ''
    const former = next.get(path)
    const like = lookOf(base.get(path), local.get(path), former)
    if (text === texts.get(path)?.next && like === former) return []
    return [{ kind: 'write', path, text: Buffer.from(text, 'latin1'), like: like ?? null }]
  })
  return { byLine: new Set(byLine), steps, conflicts: merged.conflicts, carried: merged.carried }
}

/** Owner and mode are the image's, unless they were changed here. */
function lookOf(
  base: Entry | undefined,
  local: Entry | undefined,
  next: Entry | undefined,
): Entry | undefined {
  if (base === undefined || local === undefined || next === undefined) return next
  const look = ({ uid, gid, mode }: Entry): string => `${uid} ${gid} ${mode}`
  return look(base) === look(local) || look(local) === look(next) ? next : local
}

function read(root: string, name: string): Promise<string> {
  return readFile(join(root, name), 'latin1')
}

/** nss-altfiles: users and groups of the image that are not in /etc. */
async function knownNames(root: string): Promise<KnownNames> {
  const names = async (file: string): Promise<Set<string>> => {
    const inside = await resolveInside(root, `usr/lib/${file}`)
    return new Set(inside === null ? [] : linesOf(await readFile(inside, 'latin1').catch(() => '')).keys())
  }
  return { users: await names('passwd'), groups: await names('group') }
}
