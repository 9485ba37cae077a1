import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import type { NewCommit } from './commit-history.ts'
import { local } from './git-mirror.ts'
import type { Mirror } from './git-mirror.ts'
import { textsOf } from './git-tree.ts'
import { checkSignatures, parseRoster } from './signature-check.ts'
import type { Means, Roster } from './signature-check.ts'
import { UntrustedCommit } from './untrusted-commit.ts'
import type { Anchor, Signer, VerifyConfig } from './verified.ts'

const LIST_BYTES_MAX = 256 * 1024

/** What is to be verified: the head alone where nothing was accepted before. */
export type Claim = {
  readonly head: string
  readonly since: Anchor | null
  /** Each after its parents; the head is the last. */
  readonly commits: readonly NewCommit[]
}

/** Where the history that must be signed begins: after what was accepted last, unless an operator says otherwise. */
export function anchorFor({ startCommit }: VerifyConfig, accepted: Anchor | null): Anchor | null {
  if (startCommit === undefined || accepted?.verified.startCommit === startCommit) return accepted
  return { commit: startCommit, verified: { signer: null, startCommit } }
}

/**
 * Who signed the head. Every commit of the claim counts, merged ones too: who signs a merge or a commit on top has
 * often not looked below. A list in the repository is read from the parents of a commit, never from itself.
 * @throws UntrustedCommit naming the oldest commit that is not signed by a listed signer.
 */
export async function verifyClaim(
  mirror: Mirror,
  verify: VerifyConfig,
  claim: Claim,
  signal: AbortSignal,
): Promise<Signer> {
  const dir = join(mirror.homeDir, 'verify')
  // A crash may have left it; what is in it is of that time.
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { mode: 0o700 })
  try {
    const means = await meansOf(verify, dir)
    const lists = await listsOf(mirror, verify, claim, signal)
    return await judge(mirror, { claim, lists, means, verify }, signal)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Which list judges a commit whose parent this is, by an id of its own. */
type Lists = {
  readonly rosters: ReadonlyMap<string, Roster>
  readonly listAfter: (commit: string) => string
}

type Case = {
  readonly claim: Claim
  readonly lists: Lists
  readonly means: Means
  readonly verify: VerifyConfig
}

async function judge(
  mirror: Mirror,
  { claim, lists, means, verify }: Case,
  signal: AbortSignal,
): Promise<Signer> {
  const judges = judgesOf(claim, lists)
  const answers = new Map<string, ReadonlyMap<string, Signer | string>>()
  for (const list of new Set([...judges.values()].flat())) {
    const roster = lists.rosters.get(list)
    if (roster === undefined) throw new Error(`no list ${list} was read`)
    const commits = [...judges].filter(([, named]) => named.includes(list)).map(([id]) => id)
    const question = { commits, roster, means, name: `list-${answers.size}` }
    answers.set(list, await checkSignatures(mirror, question, signal))
  }
  const { head, since } = claim
  let last: Signer | null = null
  for (const [id, named] of judges) {
    for (const list of named) {
      const answer = answers.get(list)?.get(id) ?? 'git could not judge it'
      if (typeof answer === 'string') throw refused(mirror, { head, id, since, why: answer, verify })
      last = answer
    }
  }
  if (last === null) throw new Error('nothing was verified')
  return last
}

/** The lists that each commit must hold against: those of all its parents. */
function judgesOf({ head, since, commits }: Claim, lists: Lists): ReadonlyMap<string, readonly string[]> {
  if (since === null) return new Map([[head, [lists.listAfter('')]]])
  const fresh = new Set(commits.map(({ id }) => id))
  // Old history never says who may sign: a key may have been taken off the list since.
  const before = (parent: string): string => (fresh.has(parent) ? parent : since.commit)
  return new Map(
    commits.map(({ id, parents }) => {
      const after = parents.length === 0 ? [since.commit] : parents.map(before)
      return [id, [...new Set(after.map((parent) => lists.listAfter(parent)))]]
    }),
  )
}

type RefusalParts = {
  readonly head: string
  readonly id: string
  readonly since: Anchor | null
  readonly why: string
  readonly verify: VerifyConfig
}

function refused({ what }: Mirror, { head, id, since, why, verify }: RefusalParts): UntrustedCommit {
  const below = id === head ? '' : `, below the head ${head}`
  const kept = since === null ? '' : ` that still contains ${since.commit}`
  const sign = `sign it anew with a listed ${verify.commits} key and push a history${kept} without the one refused`
  const order = `or, after looking at it, name ${head} as verify.startCommit in the controller's configuration`
  return new UntrustedCommit(head, `verifying commit ${id}${below}, ${what}: ${why}; ${sign}, ${order}`)
}

async function meansOf(verify: VerifyConfig, dir: string): Promise<Means> {
  const { commits, revokedSignersFile, keyringFile = '' } = verify
  const revoked = revokedSignersFile === undefined ? null : await ownFile(revokedSignersFile)
  if (commits === 'ssh' && revoked !== null && !isRevocation(revoked)) {
    throw new ControllerError(
      'ConfigInvalid',
      `reading ${revokedSignersFile}: it is neither a list of public keys, one a line, nor a KRL of ssh-keygen`,
    )
  }
  return { revoked, keyring: keyringFile === '' ? null : await ownFile(keyringFile), keyringFile, dir }
}

/** Ssh-keygen passes over lines that it cannot read, and so would let a mistyped key sign. */
function isRevocation(content: Buffer): boolean {
  if (content.subarray(0, 6).toString('latin1') === 'SSHKRL') return true
  const lines = content.toString('utf8').split(/\r?\n/)
  const keys = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  return keys.every((line) => typeof parseRoster('ssh', `x ${line}`) !== 'string')
}

async function listsOf(
  mirror: Mirror,
  verify: VerifyConfig,
  claim: Claim,
  signal: AbortSignal,
): Promise<Lists> {
  const { head, since, commits } = claim
  const path = verify.allowedSigners
  const file = verify.allowedSignersFile
  const rosters = new Map<string, Roster>()
  if (path === undefined || since === null) {
    if (file === undefined) {
      throw new ControllerError(
        'ConfigInvalid',
        `verifying the first commit of ${mirror.what}: name verify.allowedSignersFile or verify.startCommit`,
      )
    }
    const roster = parseRoster(verify.commits, (await ownFile(file)).toString('utf8'))
    if (typeof roster === 'string') throw new ControllerError('ConfigInvalid', `reading ${file}: ${roster}`)
    rosters.set('', roster)
  }
  if (path === undefined) return { rosters, listAfter: () => '' }
  const ids = since === null ? [head] : [since.commit, ...commits.map(({ id }) => id)]
  const listed = await readLists(mirror, { path, ids, kind: verify.commits }, signal)
  for (const id of ids) {
    const { list, roster } = listed(id)
    // Whoever takes the list away would lock everybody out.
    if (typeof roster === 'string') {
      throw refused(mirror, { head, id, since, why: `its list of signers, ${path}, ${roster}`, verify })
    }
    rosters.set(list, roster)
  }
  return { rosters, listAfter: (commit) => (commit === '' || since === null ? '' : listed(commit).list) }
}

type Listed = { readonly list: string; readonly roster: Roster | string }

async function readLists(
  mirror: Mirror,
  {
    path,
    ids,
    kind,
  }: { readonly path: string; readonly ids: readonly string[]; readonly kind: Roster['kind'] },
  signal: AbortSignal,
): Promise<(id: string) => Listed> {
  const asked = ids.map((id) => `${id}:${path}\n`).join('')
  const found = await local(mirror, ['cat-file', '--batch-check'], signal, { input: asked })
  const lines = found.stdout.toString('utf8').split('\n')
  const blobs = new Map(
    lines.flatMap((line) => {
      const [, list = '', sizeBytes = ''] = /^([0-9a-f]{40,64}) blob ([0-9]+)$/.exec(line) ?? []
      return list === '' || Number(sizeBytes) > LIST_BYTES_MAX ? [] : [[list, Number(sizeBytes)] as const]
    }),
  )
  const files = [...blobs].map(([objectId, sizeBytes]) => ({ objectId, sizeBytes, path: objectId }))
  const input = files.map(({ objectId }) => `${objectId}\n`).join('')
  const texts = textsOf(await local(mirror, ['cat-file', '--batch'], signal, { input }), files) ?? []
  const rosters = new Map(texts.map(({ path: list, text }) => [list, parseRoster(kind, text)]))
  return (id) => {
    const list = (lines[ids.indexOf(id)] ?? '').split(' ')[0] ?? ''
    const roster = rosters.get(list) ?? 'is missing or too large'
    return { list, roster: typeof roster === 'string' ? `cannot be used: ${roster}` : roster }
  }
}

async function ownFile(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const message = `reading ${path}, which verify names: ${cause.code}; correct it`
    throw new ControllerError('SourceUnreachable', message, { cause })
  })
}
