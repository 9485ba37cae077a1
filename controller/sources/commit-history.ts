import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchHead, headRef, local } from './git-mirror.ts'
import type { Mirror } from './git-mirror.ts'
import { UntrustedCommit } from './untrusted-commit.ts'

export type NewCommit = { readonly id: string; readonly parents: readonly string[] }

/** How far back is fetched until the last accepted commit is found; the last is all that there is. */
const depths = [64, 1024, 2_147_483_647] as const

/**
 * Fetches the head and every commit since `since`, each after its parents; or says why the mirror could not give
 * them.
 * @throws UntrustedCommit when the head does not descend from `since`, or too much lies between.
 */
export async function fetchSince(
  mirror: Mirror,
  { since, maxCommits }: { readonly since: string; readonly maxCommits: number },
  signal: AbortSignal,
): Promise<readonly NewCommit[] | string> {
  for (const depth of depths) {
    const failed = await fetchHead(mirror, depth, signal)
    if (failed !== null) return failed
    const shallow = await boundaries(mirror)
    const isLast = shallow.size === 0 || depth === depths.at(-1)
    const range = await rangeSince(mirror, since, maxCommits, signal)
    if (typeof range === 'string') return range
    // A commit whose parents were not fetched may have anything below it: deeper, until none of the new ones is.
    const isWhole = range.descends && !range.commits.some(({ id }) => shallow.has(id))
    if (isWhole && range.commits.length <= maxCommits) return range.commits
    if (isLast) throw refusal(mirror, range, { since, maxCommits })
  }
  return 'the last accepted commit is not found'
}

type Range = { readonly head: string; readonly descends: boolean; readonly commits: readonly NewCommit[] }

/** One more than asked for shows that there are more. */
async function rangeSince(
  mirror: Mirror,
  since: string,
  maxCommits: number,
  signal: AbortSignal,
): Promise<Range | string> {
  const found = await local(mirror, ['rev-parse', '--verify', '--quiet', `${headRef}^{commit}`], signal)
  const head = found.stdout.toString('utf8').trim()
  if (found.exitCode !== 0) return `git rev-parse ended with "${found.complaint}"`
  const known = await local(mirror, ['cat-file', '-e', `${since}^{commit}`], signal)
  const below =
    known.exitCode === 0 && (await local(mirror, ['merge-base', '--is-ancestor', since, head], signal))
  if (below === false || below.exitCode !== 0) return { head, descends: false, commits: [] }
  const args = ['rev-list', '--topo-order', '--parents', `--max-count=${maxCommits + 1}`]
  const listed = await local(mirror, [...args, head, `^${since}`, '--'], signal)
  if (listed.exitCode !== 0 || listed.end !== 'exited') return `git rev-list ended with "${listed.complaint}"`
  const lines = listed.stdout.toString('utf8').split('\n').filter(Boolean)
  const commits = lines.map((line) => {
    const [id = '', ...parents] = line.split(' ')
    return { id, parents }
  })
  return { head, descends: true, commits: commits.toReversed() }
}

/** The commits whose parents the mirror does not have. */
async function boundaries({ gitDir }: Mirror): Promise<ReadonlySet<string>> {
  const text = await readFile(join(gitDir, 'shallow'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return new Set(text.split('\n').filter(Boolean))
}

function refusal(
  { what }: Mirror,
  { head, descends, commits }: Range,
  { since, maxCommits }: { readonly since: string; readonly maxCommits: number },
): UntrustedCommit {
  const start = `after looking at it, name commit ${head} as verify.startCommit in the controller's configuration`
  if (!descends) {
    const found = `it does not descend from ${since}, the last one accepted: the history was rewritten or the branch went back`
    const undo = `push a history that contains ${since} (git revert takes a change back), or, to accept this one,`
    return new UntrustedCommit(head, `verifying commit ${head}, ${what}: ${found}; ${undo} ${start}`)
  }
  if (commits.length > maxCommits) {
    const found = `more than ${maxCommits} commits follow ${since}, the last one accepted`
    const act = `raise verify.maxCommits, or, ${start}`
    return new UntrustedCommit(head, `verifying commit ${head}, ${what}: ${found}; ${act}`)
  }
  const found = `the remote holds only a part of the history since ${since}, the last one accepted`
  return new UntrustedCommit(
    head,
    `verifying commit ${head}, ${what}: ${found}; push all of it, or, ${start}`,
  )
}
