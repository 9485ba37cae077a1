import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import { local } from './git-mirror.ts'
import type { Mirror } from './git-mirror.ts'
import { makeKeyring, parseFingerprints } from './gpg-signers.ts'
import { parseAllowedSigners } from './ssh-signers.ts'
import type { SshSigner } from './ssh-signers.ts'
import type { Signer } from './verified.ts'

/** A list of who may sign, as it was written and as it was read. */
export type Roster =
  | { readonly kind: 'ssh'; readonly text: string; readonly signers: readonly SshSigner[] }
  | { readonly kind: 'gpg'; readonly text: string; readonly fingerprints: readonly string[] }

/** What the controller's own files say, beside the list. */
export type Means = {
  /** Of ssh: public keys or a KRL. Of gpg: fingerprints, one a line. */
  readonly revoked: Buffer | null
  readonly keyring: Buffer | null
  readonly keyringFile: string
  /** For this verification alone. */
  readonly dir: string
}

/** What is wrong with it, when it is no list. */
export function parseRoster(kind: Roster['kind'], text: string): Roster | string {
  const parsed = kind === 'ssh' ? parseAllowedSigners(text) : parseFingerprints(text)
  if (typeof parsed === 'string') return parsed
  return kind === 'ssh'
    ? { kind, text, signers: parsed as readonly SshSigner[] }
    : { kind, text, fingerprints: parsed as readonly string[] }
}

const BATCH = 100

/** Of each commit its signer, or a sentence on why it has none that counts. */
export async function checkSignatures(
  mirror: Mirror,
  { commits, roster, means, name }: Question,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Signer | string>> {
  const prepared = await prepare({ roster, means, name }, signal)
  const answers = new Map<string, Signer | string>()
  for (let index = 0; index < commits.length; index += BATCH) {
    const batch = commits.slice(index, index + BATCH)
    for (const [commit, answer] of await checkBatch(mirror, { commits: batch, ...prepared }, signal))
      answers.set(commit, answer)
  }
  return answers
}

type Question = {
  readonly commits: readonly string[]
  readonly roster: Roster
  readonly means: Means
  /** Of the files that are made for it: another one for each list. */
  readonly name: string
}

type Prepared = {
  readonly settings: readonly string[]
  readonly keyringDir: string | undefined
  /** Why a good signature of this key does not count; null: it does. */
  readonly refuse: (found: Found, nowMs: number) => string | null
}

async function prepare(
  { roster, means, name }: Omit<Question, 'commits'>,
  signal: AbortSignal,
): Promise<Prepared> {
  const { dir, revoked, keyring, keyringFile } = means
  const never = ['openpgp', 'x509', 'ssh'].filter((format) => format !== formatOf(roster))
  const others = never.map((format) => `gpg.${format}.program=/bin/false`)
  if (roster.kind === 'ssh') {
    const allowedFile = join(dir, `${name}.allowed`)
    const revokedFile = join(dir, `${name}.revoked`)
    await writeFile(allowedFile, roster.text)
    if (revoked !== null) await writeFile(revokedFile, revoked)
    const revocation = revoked === null ? [] : [`gpg.ssh.revocationFile=${revokedFile}`]
    const files = [`gpg.ssh.allowedSignersFile=${allowedFile}`, ...revocation]
    const refuse: Prepared['refuse'] = (found, nowMs) => refuseSsh(roster.signers, found, nowMs)
    return { settings: [...others, ...files], keyringDir: undefined, refuse }
  }
  const gone = revoked === null ? [] : parseFingerprints(revoked.toString('utf8'))
  if (typeof gone === 'string' && gone !== 'it names nobody') {
    throw new ControllerError('ConfigInvalid', `reading verify.revokedSignersFile: ${gone}`)
  }
  const keyringDir = join(dir, name)
  const trusted = roster.fingerprints
  await makeKeyring({ dir: keyringDir, keyring: keyring ?? Buffer.alloc(0), keyringFile, trusted, signal })
  const refuse: Prepared['refuse'] = (found) =>
    refuseGpg(trusted, typeof gone === 'string' ? [] : gone, found)
  return { settings: others, keyringDir, refuse }
}

function formatOf({ kind }: Roster): string {
  return kind === 'ssh' ? 'ssh' : 'openpgp'
}

type Found = {
  readonly fingerprint: string
  /** Of gpg. */
  readonly primary: string
  readonly principal: string
}

async function checkBatch(
  mirror: Mirror,
  { commits, settings, keyringDir, refuse }: Prepared & { readonly commits: readonly string[] },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Signer | string>> {
  const git = [...settings, 'gpg.minTrustLevel=fully'].flatMap((setting) => ['-c', setting])
  const format = '--format=%H%x00%G?%x00%GF%x00%GP%x00%GS'
  const show = [...git, 'log', '--no-walk=unsorted', '--no-show-signature', '--stdin', format]
  const shown = await local(mirror, show, signal, { input: `${commits.join('\n')}\n`, keyringDir })
  const lines = shown.exitCode === 0 ? shown.stdout.toString('utf8').split('\n') : []
  const shownOf = new Map(lines.map((line) => [line.slice(0, line.indexOf('\0')), line]))
  const nowMs = Date.now()
  const answers = new Map(commits.map((id) => [id, answerOf(shownOf.get(id) ?? '', refuse, nowMs)]))
  if ([...answers.values()].some((answer) => typeof answer === 'string')) return answers
  // A second opinion by exit code: what is printed and what is decided are two things in git.
  const judged = await local(mirror, [...git, 'verify-commit', '--', ...commits], signal, { keyringDir })
  if (judged.exitCode === 0 && judged.end === 'exited') return answers
  return new Map(
    commits.map((id) => [id, `git verify-commit refuses it or a commit beside it: "${judged.complaint}"`]),
  )
}

/** Of one line of what git shows. */
function answerOf(line: string, refuse: Prepared['refuse'], nowMs: number): Signer | string {
  const [, verdict = '', fingerprint = '', primary = '', principal = ''] = line.split('\0')
  const bad = reasonFor(verdict, { fingerprint, primary, principal }, refuse, nowMs)
  if (bad === null) return { principal, fingerprint: primary === '' ? fingerprint : primary }
  return fingerprint === '' ? bad : `${bad}, key ${fingerprint}`
}

/** By git's letter for it (`%G?` in git-log(1)); null: nothing is wrong. */
function reasonFor(verdict: string, found: Found, refuse: Prepared['refuse'], nowMs: number): string | null {
  switch (verdict) {
    case 'G':
      return refuse(found, nowMs)
    case 'U':
      return (
        refuse(found, nowMs) ?? 'the list of signers does not have its key as valid at the date in the commit'
      )
    case 'N':
      return 'it is not signed in the way that verify.commits asks for'
    case 'X':
      return 'its signature has expired'
    case 'Y':
      return 'it is signed by a key that has expired'
    case 'R':
      return REVOKED
    case 'E':
      return 'its signature cannot be checked: its key is not in the keyring, or it is not of the kind that verify.commits asks for'
    case 'B':
      return 'its signature is bad, or made with a revoked key'
    default:
      return 'git could not judge it'
  }
}

const UNLISTED = 'it is signed by a key that the list of signers does not name'
const REVOKED = 'it is signed by a revoked key'

function refuseSsh(signers: readonly SshSigner[], { fingerprint }: Found, nowMs: number): string | null {
  const named = signers.filter((signer) => signer.fingerprint === fingerprint)
  if (named.length === 0) return UNLISTED
  // Git judges at the date in the commit, which its signer chose.
  const isValid = named.some(
    ({ validAfterMs, validBeforeMs }) => validAfterMs <= nowMs && nowMs < validBeforeMs,
  )
  return isValid ? null : "the list of signers does not have its key as valid now, by the controller's clock"
}

function refuseGpg(
  trusted: readonly string[],
  revoked: readonly string[],
  { fingerprint, primary }: Found,
): string | null {
  if (primary === '' || !trusted.includes(primary)) return UNLISTED
  return revoked.includes(primary) || revoked.includes(fingerprint) ? REVOKED : null
}
