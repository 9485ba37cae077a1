import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSignedRepository, makeSshKey } from '../../test/support/signed-repository.ts'
import type { GpgKey, SignedRepository } from '../../test/support/signed-repository.ts'
import { createGitSource } from './git.ts'
import type { SourceSnapshot } from './git.ts'
import type { Anchor, VerifyConfig } from './verified.ts'

const never = new AbortController().signal
let dir = ''
let home = ''
let repository: SignedRepository
let kim: GpgKey
let robin: GpgKey
let verify: VerifyConfig & { readonly allowedSignersFile: string; readonly keyringFile: string }
let anchor: Anchor | null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-gpg-'))
  home = join(dir, 'gnupg')
  await mkdir(home, { mode: 0o700 })
  repository = createSignedRepository(dir)
  kim = makeKey('kim')
  robin = makeKey('robin')
  verify = {
    commits: 'gpg',
    allowedSignersFile: join(dir, 'allowed'),
    keyringFile: join(dir, 'keyring.asc'),
    maxCommits: 200,
  }
  await writeFile(verify.allowedSignersFile, `# who\n${kim.fingerprint} kim\n`)
  await exportKeyring()
  anchor = null
})
afterEach(async () => {
  // The agent that made the keys is a process of its own.
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  await rm(dir, { recursive: true, force: true })
})

function gpg(...args: string[]): string {
  const options = ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
  return execFileSync('gpg', [...options, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

function makeKey(name: string): GpgKey {
  gpg('--quick-generate-key', `${name} <${name}@example>`, 'ed25519', 'sign', '1d')
  const listed = gpg('--with-colons', '--list-keys', `${name}@example`)
  return { home, fingerprint: /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '' }
}

const exportKeyring = () => writeFile(verify.keyringFile, gpg('--armor', '--export'))

async function poll(): Promise<SourceSnapshot> {
  const config = { url: repository.url, branch: 'main', path: '', mirrorDir: join(dir, 'mirror'), verify }
  return createGitSource(config).poll(never, anchor)
}

async function refusal(): Promise<string> {
  const error: unknown = await poll().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'UntrustedCommit' })
  return (error as Error).message
}

async function accept(): Promise<void> {
  const { commit, verified } = await poll()
  if (verified === undefined) throw new Error('not verified')
  anchor = { commit, verified }
}

describe('a commit signed with gpg', () => {
  it('is accepted with who signed it; the controller needs no agent for it', async () => {
    repository.commit('first', { key: kim })
    await accept()
    const signer = { principal: 'kim <kim@example>', fingerprint: kim.fingerprint }
    expect(anchor?.verified.signer).toEqual(signer)
    repository.commit('second', { key: kim })
    repository.commit('third', { key: kim })
    expect((await poll()).subject).toBe('third')
  })

  it('is refused when its key is known but not listed, even when a listed one vouches for it', async () => {
    gpg('--local-user', kim.fingerprint, '--yes', '--quick-sign-key', robin.fingerprint)
    await exportKeyring()
    repository.commit('by robin', { key: robin })
    expect(await refusal()).toContain(`does not name, key ${robin.fingerprint}`)
  })

  it('is refused when its key is not in the keyring, or it is not signed at all', async () => {
    await writeFile(verify.keyringFile, gpg('--armor', '--export', robin.fingerprint))
    repository.commit('by kim', { key: kim })
    expect(await refusal()).toContain('its key is not in the keyring')
    repository.commit('by nobody', { key: null })
    expect(await refusal()).toContain('it is not signed')
  })

  it('is refused when it is signed with ssh, by whomever', async () => {
    repository.commit('first', { key: kim })
    await accept()
    repository.commit('by ssh', { key: makeSshKey(dir, 'kim') })
    expect(await refusal()).toContain('verifying commit')
  })

  it('is refused when its key has expired since, or was revoked by the controller', async () => {
    repository.commit('first', { key: kim })
    await accept()
    repository.commit('second', { key: kim })
    const revokedSignersFile = join(dir, 'revoked')
    await writeFile(revokedSignersFile, `${kim.fingerprint} stolen\n`)
    verify = { ...verify, revokedSignersFile }
    expect(await refusal()).toContain('revoked key')
    await writeFile(revokedSignersFile, '# nobody\n')
    await poll()
    gpg('--quick-set-expire', kim.fingerprint, 'seconds=1')
    await exportKeyring()
    await new Promise((done) => setTimeout(done, 2100))
    expect(await refusal()).toContain('a key that has expired')
  })

  it('is refused when its key is revoked in the keyring', async () => {
    repository.commit('first', { key: kim })
    await poll()
    const prepared = join(home, 'openpgp-revocs.d', `${kim.fingerprint}.rev`)
    const certificate = execFileSync('sed', ['s/^:---/---/', prepared], { encoding: 'utf8' })
    await writeFile(join(dir, 'revocation'), certificate)
    gpg('--import', join(dir, 'revocation'))
    await exportKeyring()
    expect(await refusal()).toContain('signed by a revoked key')
  })

  it('needs a keyring and a list that can be read', async () => {
    repository.commit('first', { key: kim })
    await writeFile(verify.keyringFile, 'no keys')
    await expect(poll()).rejects.toThrow('write it with gpg --export')
    await exportKeyring()
    await writeFile(verify.allowedSignersFile, 'kim@example\n')
    await expect(poll()).rejects.toThrow('line 1: it does not begin with the 40 digits')
    await rm(verify.allowedSignersFile)
    await expect(poll()).rejects.toThrow('ENOENT; correct it')
  })
})
