import { ancestorsOf, parentOf } from '../trees/names.ts'
import type { Entry, Tree } from '../trees/tree.ts'
import { isSame } from '../trees/tree.ts'
import { machineRule } from './machine-files.ts'

export type EtcListings = { base: Tree; local: Tree; next: Tree }

export type Step =
  | { kind: 'remove'; path: string }
  | { kind: 'make-directory'; path: string; like: Entry }
  | { kind: 'copy'; path: string; entry: Entry }
  /** The folder stays and looks from now on like the host's. */
  | { kind: 'dress-directory'; path: string; like: Entry; former: Entry }
  | { kind: 'write'; path: string; text: Buffer; like: Entry | null }

export type EtcPlan = {
  steps: readonly Step[]
  /** Changed both on the host and in the image, and not to the same. */
  conflicts: readonly string[]
  /** A folder on one side and none on the other: nobody can tell what is meant. */
  unmergeable: readonly string[]
  carried: number
  /** Sockets, pipes and devices, which stay behind. */
  skipped: readonly string[]
}

export type PlanRules = {
  /** The image's own list of what always comes new. */
  alwaysNew: (path: string) => boolean
  /** Merged by line, elsewhere. */
  byLine: ReadonlySet<string>
}

type Draft = EtcListings & {
  rules: PlanRules
  steps: Step[]
  conflicts: Set<string>
  unmergeable: Set<string>
  skipped: string[]
  carried: number
  /** What stays because something always new is in it. */
  held: ReadonlySet<string>
  made: Set<string>
  /** No folder any more, so nothing of the image's can be below it. */
  gone: Set<string>
}

/** What has to be done to `next`; touches nothing. */
export function planMerge(listings: EtcListings, rules: PlanRules): EtcPlan {
  const draft: Draft = {
    ...listings,
    rules,
    steps: [],
    conflicts: new Set(),
    unmergeable: new Set(),
    skipped: [],
    carried: 0,
    held: heldPaths(listings.next, rules),
    made: new Set(),
    gone: new Set(),
  }
  const paths = new Set([...listings.base.keys(), ...listings.local.keys(), ...listings.next.keys()])
  for (const path of [...paths].toSorted()) decide(draft, path)
  const { steps, carried, skipped } = draft
  const sorted = (set: ReadonlySet<string>): string[] => [...set].toSorted()
  return {
    steps,
    carried,
    skipped,
    conflicts: sorted(draft.conflicts),
    unmergeable: sorted(draft.unmergeable),
  }
}

function heldPaths(next: Tree, rules: PlanRules): Set<string> {
  const held = new Set<string>()
  for (const path of next.keys()) {
    if (!rules.alwaysNew(path)) continue
    for (const part of [...ancestorsOf(path), path]) held.add(part)
  }
  return held
}

/** A special file counts as none: it is neither compared nor carried. */
function plain(tree: Tree, path: string): Entry | undefined {
  const entry = tree.get(path)
  return entry?.kind === 'special' ? undefined : entry
}

function decide(draft: Draft, path: string): void {
  const base = plain(draft.base, path)
  const local = plain(draft.local, path)
  const next = draft.next.get(path)
  if (draft.gone.has(parentOf(path))) {
    draft.gone.add(path)
    if (next !== undefined && !isSame(base, next)) draft.conflicts.add(path)
    return
  }
  if (draft.local.get(path)?.kind === 'special') {
    draft.skipped.push(path)
    return
  }
  if (draft.rules.byLine.has(path)) return
  const machine = machineRule(path)
  if (machine === null) compare(draft, path, { base, local, next })
  else followMachineRule(draft, path, machine({ base, local, next }))
}

type Three = { base: Entry | undefined; local: Entry | undefined; next: Entry | undefined }

function compare(draft: Draft, path: string, { base, local, next }: Three): void {
  if (isSame(base, local)) return
  const isNew = draft.rules.alwaysNew(path)
  if (!isSame(local, next) && (isNew || !isSame(base, next))) draft.conflicts.add(path)
  if (isNew || (draft.held.has(path) && local?.kind !== 'directory')) return
  draft.carried += 1
  place(draft, path, { base, local, next })
}

function followMachineRule(draft: Draft, path: string, outcome: 'local' | 'next' | 'none' | 'empty'): void {
  const local = plain(draft.local, path)
  const next = draft.next.get(path)
  switch (outcome) {
    case 'next':
      return
    case 'local':
      // As if the image had it just so: then the host's form is always the one that is meant.
      place(draft, path, { base: next, local, next })
      return
    case 'none':
      if (next !== undefined) place(draft, path, { base: next, local: undefined, next })
      return
    case 'empty':
      if (next?.kind === 'directory') draft.steps.push({ kind: 'remove', path })
      draft.steps.push({ kind: 'write', path, text: Buffer.alloc(0), like: null })
  }
}

/** Makes `next` look like the host at this path. */
function place(draft: Draft, path: string, three: Three): void {
  const { steps } = draft
  const { base, local, next } = three
  if (local === undefined) {
    if (next !== undefined) steps.push({ kind: 'remove', path })
    draft.gone.add(path)
    return
  }
  if (!hasParents(draft, path)) return
  const isFolder = local.kind === 'directory'
  if (next !== undefined && isFolder !== (next.kind === 'directory')) {
    // The image did not mean the change of form where it only kept what was there.
    const isKept = base !== undefined && (base.kind === 'directory') === (next.kind === 'directory')
    if (!isKept) {
      draft.unmergeable.add(path)
      return
    }
    steps.push({ kind: 'remove', path })
    steps.push(
      isFolder ? { kind: 'make-directory', path, like: local } : { kind: 'copy', path, entry: local },
    )
  } else if (!isSame(local, next)) {
    steps.push(stepTo(path, local, next))
  }
  if (isFolder) draft.made.add(path)
  else draft.gone.add(path)
}

function stepTo(path: string, local: Entry, next: Entry | undefined): Step {
  if (local.kind !== 'directory') return { kind: 'copy', path, entry: local }
  if (next === undefined) return { kind: 'make-directory', path, like: local }
  return { kind: 'dress-directory', path, like: local, former: next }
}

/** Folders above that the image does not have any more come back as they are on the host. */
function hasParents(draft: Draft, path: string): boolean {
  for (const parent of ancestorsOf(path)) {
    if (draft.made.has(parent)) continue
    const next = draft.next.get(parent)
    const like = draft.local.get(parent)
    if (next === undefined && like !== undefined) {
      draft.steps.push({ kind: 'make-directory', path: parent, like })
    } else if (next?.kind !== 'directory') {
      draft.unmergeable.add(parent)
      return false
    }
    draft.made.add(parent)
  }
  return true
}
