import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ControllerError } from '../errors.ts'
import { runGpg } from './git-process.ts'

/** Fingerprints of primary keys, one a line; what follows a fingerprint or a # is for people. */
export function parseFingerprints(text: string): readonly string[] | string {
  const fingerprints: string[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const bare = line.trim()
    if (bare === '' || bare.startsWith('#')) continue
    const fingerprint = /^((?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}))(?:\s|#|$)/.exec(bare)?.[1]
    if (fingerprint === undefined)
      return `line ${index + 1}: it does not begin with the 40 digits of a fingerprint`
    fingerprints.push(fingerprint.toUpperCase())
  }
  return fingerprints.length === 0 ? 'it names nobody' : fingerprints
}

/** Keys are trusted because the list names them, never because another key vouches for them; nothing asks the network. */
const settings = [
  'batch',
  'no-tty',
  'no-autostart',
  'disable-dirmngr',
  'no-auto-key-retrieve',
  'no-auto-key-locate',
  'trust-model direct',
]

export type KeyringRequest = {
  readonly dir: string
  readonly keyring: Buffer
  readonly keyringFile: string
  readonly trusted: readonly string[]
  readonly signal: AbortSignal
}

/** A GnuPG home that holds the keyring and trusts only those. */
export async function makeKeyring({
  dir,
  keyring,
  keyringFile,
  trusted,
  signal,
}: KeyringRequest): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeFile(join(dir, 'gpg.conf'), `${settings.join('\n')}\n`)
  const call = { homeDir: dir, signal, timeoutMs: 30_000, maxOutputBytes: 1024 * 1024 }
  const imported = await runGpg({ ...call, args: ['--import'], input: keyring })
  if (imported.end === 'not-started') {
    throw new ControllerError('ConfigInvalid', 'verifying commits: gpg cannot be started; install gnupg')
  }
  if (imported.exitCode !== 0) {
    const message = `reading ${keyringFile}, the keyring of verify: gpg found "${imported.complaint}"; write it with gpg --export`
    throw new ControllerError('ConfigInvalid', message)
  }
  const trust = trusted.map((fingerprint) => `${fingerprint}:6:\n`).join('')
  const told = await runGpg({ ...call, args: ['--import-ownertrust'], input: Buffer.from(trust) })
  if (told.exitCode === 0) return
  throw new ControllerError('ConfigInvalid', `trusting the listed keys: gpg found "${told.complaint}"`)
}
