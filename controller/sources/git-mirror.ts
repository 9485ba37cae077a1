import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import { tooLarge } from './file-limits.ts'
import type { FileLimits } from './file-limits.ts'
import { runGit } from './git-process.ts'
import type { GitOutcome } from './git-process.ts'
import type { GitRemote } from './git-url.ts'
import { outgrows } from './mirror-size.ts'

export type GitLimits = FileLimits & { readonly maxMirrorBytes: number; readonly fetchTimeoutMs: number }

/** Where the branch is after a fetch. */
export const headRef = 'refs/bootfleet/head'
const listingBytes = 16 * 1024 * 1024

/** Everything one poll needs; `what` names the source in messages. */
export type Mirror = {
  readonly remote: GitRemote
  readonly branch: string
  readonly folder: string
  readonly gitDir: string
  readonly homeDir: string
  readonly protocol: string
  readonly limits: GitLimits
  readonly what: string
}

export async function remoteHead(mirror: Mirror, signal: AbortSignal): Promise<string> {
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

/** Null when the head was fetched, with this many commits below it: a long history costs nothing unless it is asked for. */
export async function fetchHead(mirror: Mirror, depth: number, signal: AbortSignal): Promise<string | null> {
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
    `--depth=${depth}`,
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

export function local(
  mirror: Mirror,
  args: readonly string[],
  signal: AbortSignal,
  more: { readonly input?: string; readonly keyringDir?: string | undefined } = {},
): Promise<GitOutcome> {
  const { gitDir, homeDir, limits } = mirror
  const maxOutputBytes = listingBytes + limits.maxTotalBytes
  return runGit({ args, protocol: null, gitDir, homeDir, signal, timeoutMs: 30_000, maxOutputBytes, ...more })
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
