import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SourceFile } from '../desired-state/types.ts'
import { ControllerError } from '../errors.ts'
import { fetchSince } from './commit-history.ts'
import { anchorFor, verifyClaim } from './commit-verification.ts'
import type { Claim } from './commit-verification.ts'
import { defaultFileLimits, tooLarge } from './file-limits.ts'
import { fetchHead, headRef, local, remoteHead } from './git-mirror.ts'
import type { GitLimits, Mirror } from './git-mirror.ts'
import { filesOf, textsOf } from './git-tree.ts'
import { checkBranch, normalFolder, protocolOf, remoteOf, withoutCredentials } from './git-url.ts'
import type { GitLogin } from './git-url.ts'
import type { Anchor, Verified, VerifyConfig } from './verified.ts'

export type SourceSnapshot = {
  readonly commit: string
  readonly subject: string
  readonly committedAtMs: number
  readonly files: readonly SourceFile[]
  /** Where commits are verified. */
  readonly verified?: Verified | undefined
}

export type GitSourceConfig = {
  readonly url: string
  readonly branch: string
  /** Folder inside the repository; empty or "." for all of it. */
  readonly path: string
  /** For http and https; read at each poll, so that it may be exchanged. */
  readonly credentials?: { readonly username: string; readonly passwordFile: string } | undefined
  /** Commits are not verified without it. */
  readonly verify?: VerifyConfig | undefined
  readonly mirrorDir: string
  readonly limits?: Partial<GitLimits>
}

export type GitSource = {
  /** @throws UntrustedCommit where commits are verified, each since `accepted`, and one is not as it should be. */
  poll(signal: AbortSignal, accepted: Anchor | null): Promise<SourceSnapshot>
}

const defaultLimits: GitLimits = {
  ...defaultFileLimits,
  maxMirrorBytes: 512 * 1024 * 1024,
  fetchTimeoutMs: 60_000,
}

export function createGitSource(config: GitSourceConfig): GitSource {
  checkBranch(config.branch)
  const mirror: Mirror = {
    remote: remoteOf(config.url),
    branch: config.branch,
    folder: normalFolder(config.path),
    gitDir: join(config.mirrorDir, 'mirror.git'),
    homeDir: join(config.mirrorDir, 'home'),
    protocol: protocolOf(config.url),
    limits: { ...defaultLimits, ...config.limits },
    what: `branch "${config.branch}" of ${withoutCredentials(config.url)}`,
  }
  const { verify } = config
  let last: SourceSnapshot | null = null
  return {
    async poll(signal, accepted) {
      await mkdir(mirror.homeDir, { recursive: true, mode: 0o700 })
      const now = { ...mirror, remote: remoteOf(config.url, await loginOf(config)) }
      const commit = await remoteHead(now, signal)
      if (last?.commit !== commit) last = await snapshotAt(now, { commit, verify, accepted }, signal)
      return last
    },
  }
}

async function loginOf({ credentials, url }: GitSourceConfig): Promise<GitLogin | null> {
  if (credentials === undefined) return null
  const { username, passwordFile } = credentials
  const password = await readFile(passwordFile, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const message = `reading ${passwordFile}, the password for ${withoutCredentials(url)}: ${cause.code}; correct passwordFile`
    throw new ControllerError('SourceUnreachable', message, { cause })
  })
  return { username, password: password.trimEnd() }
}

type Wish = {
  readonly commit: string
  readonly verify: VerifyConfig | undefined
  readonly accepted: Anchor | null
}

/** A damaged mirror (crash, full disk) is made anew once; what the remote holds is all that it held. */
async function snapshotAt(mirror: Mirror, wish: Wish, signal: AbortSignal): Promise<SourceSnapshot> {
  const first = await fetchAndRead(mirror, wish, signal)
  if (typeof first !== 'string') return first
  await rm(mirror.gitDir, { recursive: true, force: true })
  const second = await fetchAndRead(mirror, wish, signal)
  if (typeof second !== 'string') return second
  throw new ControllerError('SourceUnreachable', `fetching ${wish.commit}, ${mirror.what}: ${second}`)
}

/** The snapshot, or why the mirror could not give one. */
async function fetchAndRead(
  mirror: Mirror,
  { verify, accepted }: Wish,
  signal: AbortSignal,
): Promise<SourceSnapshot | string> {
  const init = await local(mirror, ['init', '--quiet', '--bare', '--template='], signal)
  if (init.exitCode !== 0) return `git init ended with "${init.complaint}"`
  const since = verify === undefined ? null : anchorFor(verify, accepted)
  if (verify !== undefined && since !== null) return readSince(mirror, verify, since, signal)
  const failed = await fetchHead(mirror, 1, signal)
  if (failed !== null) return failed
  const read = await readHead(mirror, headRef, signal)
  if (typeof read === 'string' || verify === undefined) return read
  return verified(mirror, verify, { read, since, commits: [] }, signal)
}

async function readSince(
  mirror: Mirror,
  verify: VerifyConfig,
  since: Anchor,
  signal: AbortSignal,
): Promise<SourceSnapshot | string> {
  const { maxCommits } = verify
  const commits = await fetchSince(mirror, { since: since.commit, maxCommits }, signal)
  if (typeof commits === 'string') return commits
  const read = await readHead(mirror, commits.at(-1)?.id ?? since.commit, signal)
  if (typeof read === 'string') return read
  if (commits.length === 0) return { ...read, verified: since.verified }
  return verified(mirror, verify, { read, since, commits }, signal)
}

/** What was read and what is verified are one commit, named by its hash. */
async function verified(
  mirror: Mirror,
  verify: VerifyConfig,
  { read, ...claim }: Omit<Claim, 'head'> & { readonly read: SourceSnapshot },
  signal: AbortSignal,
): Promise<SourceSnapshot> {
  const signer = await verifyClaim(mirror, verify, { head: read.commit, ...claim }, signal)
  return { ...read, verified: { signer, startCommit: claim.since?.verified.startCommit ?? '' } }
}

async function readHead(mirror: Mirror, head: string, signal: AbortSignal): Promise<SourceSnapshot | string> {
  const shown = await local(
    mirror,
    ['log', '-1', '--no-show-signature', '--format=%H%x00%ct%x00%s', head, '--'],
    signal,
  )
  const [commit = '', seconds = '', subject = ''] = shown.stdout.toString('utf8').split('\0')
  if (shown.exitCode !== 0) return `git log ended with "${shown.complaint}"`
  if (mirror.folder !== '') await requireFolder(mirror, commit, signal)
  const tree = `${commit}:${mirror.folder}`
  const listing = await local(mirror, ['ls-tree', '-r', '-z', '-l', tree], signal)
  if (listing.end !== 'exited') throw tooLarge(`the list of files of ${mirror.what} does not end`)
  if (listing.exitCode !== 0) return `git ls-tree ended with "${listing.complaint}"`
  const wanted = filesOf(listing.stdout, mirror.folder, mirror.limits)
  const input = wanted.map(({ objectId }) => `${objectId}\n`).join('')
  const texts = textsOf(await local(mirror, ['cat-file', '--batch'], signal, { input }), wanted)
  if (texts === null) return 'git cat-file does not give every file'
  return {
    commit,
    subject: subject.trim().slice(0, 200),
    committedAtMs: Number(seconds) * 1000,
    files: texts,
  }
}

async function requireFolder(mirror: Mirror, commit: string, signal: AbortSignal): Promise<void> {
  const kind = await local(mirror, ['cat-file', '-t', `${commit}:${mirror.folder}`], signal)
  if (kind.exitCode === 0 && kind.stdout.toString('utf8').trim() === 'tree') return
  // A missing tree object and a missing name look alike; the name is judged by the commit's own tree.
  const message = `reading ${mirror.what}: commit ${commit} has no folder "${mirror.folder}"; correct the source's path`
  throw new ControllerError('SourceRefMissing', message)
}
