import { formatIssue } from './desired-state/issue.ts'
import { parseDesiredState } from './desired-state/parse.ts'
import type { DesiredState, Fleet, ParseResult, SourceFile } from './desired-state/types.ts'
import type { Verified } from './sources/verified.ts'

export type Commit = {
  readonly commit: string
  readonly subject: string
  readonly files: readonly SourceFile[]
  /** Where commits are verified. */
  readonly verified?: Verified | undefined
}

/** One configured source: what is in force of it, and what was read of it last. */
export type Candidate = {
  readonly name: string
  readonly accepted: Commit | null
  readonly head: Commit | null
}

export type Merge = {
  /** By name of source; what was in force stays where the head is refused. */
  readonly accepted: ReadonlyMap<string, Commit>
  readonly rejected: ReadonlyMap<string, readonly string[]>
  /**
   * Null until there is something of every source: a freeze or a hold may be in the one that is missing, so the
   * others alone must not be acted upon.
   */
  readonly desiredState: DesiredState | null
}

const ISSUES_MAX = 50

/**
 * Takes each head whole or not at all. All of them together first, so that a fleet may move from one source to
 * another; else one after the other, again and again while one more can be taken, as one may need another. Before
 * something of each was read, nothing is judged: of two that declare the same, the first to answer must not win.
 */
export function mergeSources(candidates: readonly Candidate[]): Merge {
  const alone = candidates.length === 1
  const held = new Map(
    candidates.flatMap(({ name, accepted }) => (accepted === null ? [] : [[name, accepted] as const])),
  )
  const newest = new Map(
    candidates.flatMap(({ name, accepted, head }) => {
      const commit = head ?? accepted
      return commit === null ? [] : [[name, commit] as const]
    }),
  )
  if (newest.size < candidates.length) return { accepted: held, rejected: new Map(), desiredState: null }
  const whole = parse(newest, alone)
  if (whole.ok) return { accepted: newest, rejected: new Map(), desiredState: whole.desiredState }
  const accepted = new Map(held)
  const rejected = takeOneByOne(candidates, accepted, alone)
  const parsed = parse(accepted, alone)
  const isWhole = parsed.ok && accepted.size === candidates.length
  return { accepted, rejected, desiredState: isWhole ? parsed.desiredState : null }
}

function takeOneByOne(
  candidates: readonly Candidate[],
  accepted: Map<string, Commit>,
  alone: boolean,
): ReadonlyMap<string, readonly string[]> {
  const rejected = new Map<string, readonly string[]>()
  for (let taken = true; taken;) {
    taken = false
    for (const { name, head } of candidates) {
      if (head === null || accepted.get(name)?.commit === head.commit) continue
      const parsed = parse(new Map([...accepted, [name, head]]), alone)
      if (parsed.ok) {
        accepted.set(name, head)
        rejected.delete(name)
        taken = true
      } else rejected.set(name, parsed.issues.slice(0, ISSUES_MAX).map(formatIssue))
    }
  }
  return rejected
}

function parse(commits: ReadonlyMap<string, Commit>, alone: boolean): ParseResult {
  const files = [...commits].flatMap(([name, commit]) =>
    commit.files.map((file) =>
      alone ? file : { ...file, path: `${name}/${file.path}`, root: `${name}/${file.root ?? ''}` },
    ),
  )
  return parseDesiredState(files)
}

/** Name of the source that declares the fleet. */
export function sourceOf(fleet: Fleet, names: readonly string[]): string {
  const [only = ''] = names
  return names.length === 1 ? only : fleet.declaredAt.path.slice(0, fleet.declaredAt.path.indexOf('/'))
}
