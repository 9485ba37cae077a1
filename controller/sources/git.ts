import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SourceFile } from '../desired-state/types.ts'
import { ControllerError } from '../errors.ts'
import { runGit } from './git-process.ts'
import type { GitOutcome } from './git-process.ts'
import { textsOf, tooLarge, yamlFilesOf } from './git-tree.ts'
import type { GitLimits } from './git-tree.ts'
import { checkBranch, normalFolder, protocolOf, remoteOf, withoutCredentials } from './git-url.ts'
import type { GitRemote } from './git-url.ts'
import { outgrows } from './mirror-size.ts'

export type SourceSnapshot = {
  readonly commit: string
  readonly subject: string
  readonly committedAtMs: number
  readonly files: readonly SourceFile[]
}

export type GitSourceConfig = {
  readonly url: string
  readonly branch: string
  /** Folder inside the repository; empty or "." for all of it. */
  readonly path: string
  readonly mirrorDir: string
  readonly limits?: Partial<GitLimits>
}

export type GitSource = { poll(signal: AbortSignal): Promise<SourceSnapshot> }

const defaultLimits: GitLimits = {
  maxFiles: 1000,
  maxFileBytes: 256 * 1024,
  maxTotalBytes: 8 * 1024 * 1024,
  maxMirrorBytes: 512 * 1024 * 1024,
  fetchTimeoutMs: 60_000,
}
const headRef = 'refs/bootfleet/head'
const listingBytes = 16 * 1024 * 1024

/** Everything one poll needs; `what` names the source in messages. */
type Mirror = {
  readonly remote: GitRemote
  readonly branch: string
  readonly folder: string
  readonly gitDir: string
  readonly homeDir: string
  readonly protocol: string
  readonly limits: GitLimits
  readonly what: string
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
  let last: SourceSnapshot | null = null
  return {
    async poll(signal) {
      await mkdir(mirror.homeDir, { recursive: true, mode: 0o700 })
      const commit = await remoteHead(mirror, signal)
      if (last?.commit !== commit) last = await snapshotAt(mirror, commit, signal)
      return last
    },
  }
}

/** A damaged mirror (crash, full disk) is made anew once; what the remote holds is all that it held. */
async function snapshotAt(mirror: Mirror, commit: string, signal: AbortSignal): Promise<SourceSnapshot> {
  const first = await fetchAndRead(mirror, signal)
  if (typeof first !== 'string') return first
  await rm(mirror.gitDir, { recursive: true, force: true })
  const second = await fetchAndRead(mirror, signal)
  if (typeof second !== 'string') return second
  throw new ControllerError('SourceUnreachable', `fetching ${commit}, ${mirror.what}: ${second}`)
}

/** The snapshot, or why the mirror could not give one. */
async function fetchAndRead(mirror: Mirror, signal: AbortSignal): Promise<SourceSnapshot | string> {
  const init = await local(mirror, ['init', '--quiet', '--bare', '--template='], signal)
  if (init.exitCode !== 0) return `git init ended with "${init.complaint}"`
  const fetched = await fetchHead(mirror, signal)
  return fetched ?? readHead(mirror, signal)
}

async function remoteHead(mirror: Mirror, signal: AbortSignal): Promise<string> {
  const ref = `refs/heads/${mirror.branch}`
  // Away from the mirror: a damaged one must not pass for a remote that cannot be reached.
  const elsewhere = { ...mirror, gitDir: join(mirror.homeDir, 'none.git') }
  const outcome = await remote(elsewhere, ['ls-remote', '--exit-code', '--', mirror.remote.url, ref], signal)
  if (outcome.end === 'exited' && outcome.exitCode === 2) {
    throw new ControllerError(
      'SourceRefMissing',
      `looking up ${mirror.what}: no such branch; create it or name another`,
    )
  }
  if (outcome.exitCode !== 0) throw unreachable(mirror, 'looking up', outcome)
  const lines = outcome.stdout.toString('utf8').split('\n')
  const commit = lines.map((line) => line.split('\t')).find(([, name]) => name === ref)?.[0]
  if (commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit)) return commit
  throw new ControllerError(
    'SourceRefMissing',
    `looking up ${mirror.what}: no such branch; create it or name another`,
  )
}

/** Null when the head was fetched; only the newest commit, so that a long history costs nothing. */
async function fetchHead(mirror: Mirror, signal: AbortSignal): Promise<string | null> {
  const fetchEnded = new AbortController()
  const tooBig = new AbortController()
  const watched = outgrows(
    join(mirror.gitDir, 'objects'),
    mirror.limits.maxMirrorBytes,
    fetchEnded.signal,
  ).then((large) => {
    if (large) tooBig.abort()
    return large
  })
  const refspec = `+refs/heads/${mirror.branch}:${headRef}`
  const flags = [
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-recurse-submodules',
    '--depth=1',
    '--update-shallow',
  ]
  const outcome = await remote(
    mirror,
    ['fetch', ...flags, '--', mirror.remote.url, refspec],
    AbortSignal.any([signal, tooBig.signal]),
  )
    .catch((error: unknown) => {
      if (tooBig.signal.aborted && !signal.aborted) return null
      throw error
    })
    .finally(() => fetchEnded.abort())
  if ((await watched) || outcome === null) {
    await rm(mirror.gitDir, { recursive: true, force: true })
    throw tooLarge(`${mirror.what} takes more than ${mirror.limits.maxMirrorBytes} bytes on disk`)
  }
  if (outcome.exitCode === 0) return null
  if (outcome.end !== 'exited') throw unreachable(mirror, 'fetching', outcome)
  if (/fsck|error in (?:tree|blob|commit)/i.test(outcome.complaint)) {
    throw new ControllerError(
      'SourceHostile',
      `fetching ${mirror.what}: git refuses its objects: "${outcome.complaint}"; repair the repository`,
    )
  }
  return `git fetch ended with "${outcome.complaint}"`
}

async function readHead(mirror: Mirror, signal: AbortSignal): Promise<SourceSnapshot | string> {
  const shown = await local(
    mirror,
    ['log', '-1', '--no-show-signature', '--format=%H%x00%ct%x00%s', headRef, '--'],
    signal,
  )
  const [commit = '', seconds = '', subject = ''] = shown.stdout.toString('utf8').split('\0')
  if (shown.exitCode !== 0) return `git log ended with "${shown.complaint}"`
  if (mirror.folder !== '') await requireFolder(mirror, commit, signal)
  const tree = `${commit}:${mirror.folder}`
  const listing = await local(mirror, ['ls-tree', '-r', '-z', '-l', tree], signal)
  if (listing.end !== 'exited') throw tooLarge(`the list of files of ${mirror.what} does not end`)
  if (listing.exitCode !== 0) return `git ls-tree ended with "${listing.complaint}"`
  const wanted = yamlFilesOf(listing.stdout, mirror.folder, mirror.limits)
  const input = wanted.map(({ objectId }) => `${objectId}\n`).join('')
  const texts = textsOf(await local(mirror, ['cat-file', '--batch'], signal, input), wanted)
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

function local(
  mirror: Mirror,
  args: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<GitOutcome> {
  const { gitDir, homeDir, limits } = mirror
  const maxOutputBytes = listingBytes + limits.maxTotalBytes
  return runGit({ args, protocol: null, gitDir, homeDir, signal, timeoutMs: 30_000, maxOutputBytes, input })
}

function remote(mirror: Mirror, args: readonly string[], signal: AbortSignal): Promise<GitOutcome> {
  const { gitDir, homeDir, protocol, limits } = mirror
  return runGit({
    args,
    protocol,
    gitDir,
    homeDir,
    signal,
    timeoutMs: limits.fetchTimeoutMs,
    maxOutputBytes: 1024 * 1024,
    secretSettings: mirror.remote.secretSettings,
  })
}

function unreachable(mirror: Mirror, attempt: string, outcome: GitOutcome): ControllerError {
  const found = outcome.end === 'exited' ? `"${outcome.complaint}"` : outcome.end
  return new ControllerError(
    'SourceUnreachable',
    `${attempt} ${mirror.what}: git found ${found}; check the address, the network and the credentials`,
  )
}
