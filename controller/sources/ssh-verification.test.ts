import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allowed, createSignedRepository, makeSshKey } from '../../test/support/signed-repository.ts'
import type { SignedRepository, SshKey } from '../../test/support/signed-repository.ts'
import { createGitSource } from './git.ts'
import type { SourceSnapshot } from './git.ts'
import type { Anchor, VerifyConfig } from './verified.ts'

const never = new AbortController().signal
const list = 'trust/signers'
let dir = ''
let repository: SignedRepository
let kim: SshKey
let robin: SshKey
let verify: VerifyConfig
let anchor: Anchor | null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-signed-'))
  repository = createSignedRepository(dir)
  kim = makeSshKey(dir, 'kim')
  robin = makeSshKey(dir, 'robin')
  const allowedSignersFile = join(dir, 'allowed')
  await writeFile(allowedSignersFile, allowed('kim@example', kim))
  verify = { commits: 'ssh', allowedSignersFile, maxCommits: 200 }
  anchor = null
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function poll(): Promise<SourceSnapshot> {
  const config = { url: repository.url, branch: 'main', path: '', mirrorDir: join(dir, 'mirror'), verify }
  return createGitSource(config).poll(never, anchor)
}

/** As the controller does with what it accepts. */
async function accept(): Promise<string> {
  const { commit, verified } = await poll()
  if (verified === undefined) throw new Error('not verified')
  anchor = { commit, verified }
  return commit
}

async function refusal(): Promise<string> {
  const error: unknown = await poll().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'UntrustedCommit', code: 'SourceUntrusted' })
  expect(error).toMatchObject({ commit: repository.git('rev-parse', 'main') })
  return (error as Error).message
}

async function startWithListInRepository(): Promise<void> {
  verify = { ...verify, allowedSigners: list }
  repository.commit('first', { key: kim, files: { [list]: allowed('kim@example', kim) } })
  await accept()
}

describe('a commit signed with ssh', () => {
  it('is accepted with who signed it, and so are those after it', async () => {
    repository.commit('long before', { key: null })
    repository.commit('first', { key: kim })
    expect((await poll()).verified?.signer).toEqual({
      principal: 'kim@example',
      fingerprint: kim.fingerprint,
    })
    const first = await accept()
    expect(await accept()).toBe(first)
    repository.commit('second', { key: kim })
    const third = repository.commit('third', { key: kim, files: { 'a.yaml': 'a: 1\n' } })
    expect(await poll()).toMatchObject({ commit: third, files: [{ text: 'a: 1\n' }] })
  })

  it.each(['nobody', 'an unknown key'])('is refused when signed by %s, also as the first', async (who) => {
    const key = who === 'nobody' ? null : robin
    const bad = repository.commit('first', { key })
    expect(await refusal()).toContain(`verifying commit ${bad}, branch "main"`)
    repository.commit('begin', { key: kim })
    await accept()
    repository.commit('next', { key })
    const why = key === null ? 'it is not signed' : `does not name, key ${robin.fingerprint}`
    expect(await refusal()).toContain(why)
    expect(await refusal()).toContain('verify.startCommit')
  })

  it('is refused when an unsigned one lies below it, on the branch or merged', async () => {
    repository.commit('first', { key: kim })
    const first = await accept()
    const unsigned = repository.commit('slipped in', { key: null })
    repository.commit('on top', { key: kim })
    expect(await refusal()).toContain(`verifying commit ${unsigned}, below the head`)
    repository.git('branch', 'side')
    repository.git('reset', '-q', '--hard', first)
    repository.commit('beside', { key: kim })
    repository.merge('side', { key: kim })
    expect(await refusal()).toContain(`verifying commit ${unsigned}, below the head`)
    repository.git('reset', '-q', '--hard', first)
    repository.commit('clean', { key: kim })
    await accept()
  })

  it('is refused when it was made before the key expired, or says so: our own clock counts too', async () => {
    const expired = allowed('kim@example', kim, 'valid-before="20250101"')
    await writeFile(verify.allowedSignersFile ?? '', expired)
    repository.commit('backdated', { key: kim, date: '2024-06-01T12:00:00Z' })
    const shown = ['-c', `gpg.ssh.allowedSignersFile=${verify.allowedSignersFile}`, 'verify-commit', 'HEAD']
    await execa('git', ['-C', repository.url, ...shown])
    expect(await refusal()).toContain("by the controller's clock")
    repository.commit('honest', { key: kim })
    expect(await refusal()).toContain("by the controller's clock")
    await writeFile(verify.allowedSignersFile ?? '', allowed('kim@example', kim, 'valid-after="20250101"'))
    repository.commit('backdated', { key: kim, date: '2024-06-01T12:00:00Z' })
    expect(await refusal()).toContain('valid at the date in the commit')
  })

  it('is refused when its key is revoked, listed or not', async () => {
    const revokedSignersFile = join(dir, 'revoked')
    verify = { ...verify, revokedSignersFile }
    await writeFile(revokedSignersFile, `${robin.publicKey}\n`)
    repository.commit('first', { key: kim })
    await accept()
    repository.commit('second', { key: kim })
    await writeFile(revokedSignersFile, `# stolen\n${kim.publicKey}\n`)
    expect(await refusal()).toContain('revoked key')
    await execa('ssh-keygen', ['-q', '-k', '-f', revokedSignersFile, `${kim.file}.pub`])
    expect(await refusal()).toContain('revoked key')
    await writeFile(revokedSignersFile, 'ssh-ed25519 mistyped\n')
    await expect(poll()).rejects.toMatchObject({ code: 'ConfigInvalid' })
  })

  it('is judged as it is, whatever a replace ref says', async () => {
    repository.commit('first', { key: kim })
    await accept()
    const honest = repository.commit('honest', { key: kim })
    repository.git('reset', '-q', '--hard', 'HEAD~1')
    const evil = repository.commit('evil', { key: null })
    repository.git('replace', evil, honest)
    await execa('git', ['-C', repository.url, 'cat-file', '-e', evil])
    const mirror = `--git-dir=${join(dir, 'mirror', 'mirror.git')}`
    await execa('git', [mirror, 'fetch', '-q', repository.url, 'refs/replace/*:refs/replace/*'])
    expect(await refusal()).toContain(`verifying commit ${evil}`)
  })
})

describe('a list of signers in the repository', () => {
  it('counts for the commits after the one that changes it, never for that one', async () => {
    await startWithListInRepository()
    const both = allowed('kim@example', kim) + allowed('robin@example', robin)
    const own = repository.commit('I am trusted', { key: robin, files: { [list]: both } })
    expect(await refusal()).toContain(`verifying commit ${own}`)
    repository.git('reset', '-q', '--hard', 'HEAD~1')
    repository.commit('robin joins', { key: kim, files: { [list]: both } })
    repository.commit('by robin', { key: robin, files: { [list]: allowed('robin@example', robin) } })
    expect((await poll()).verified?.signer?.principal).toBe('robin@example')
    await accept()
    repository.commit('by kim, who is gone', { key: kim })
    expect(await refusal()).toContain('does not name')
  })

  it('does not let in through a merge who was taken off it', async () => {
    await startWithListInRepository()
    const old = repository.git('rev-parse', 'HEAD')
    repository.commit('robin only', { key: kim, files: { [list]: allowed('robin@example', robin) } })
    await accept()
    repository.git('checkout', '-q', '-b', 'side', old)
    const late = repository.commit('by kim, from before', { key: kim })
    repository.git('checkout', '-q', 'main')
    repository.merge('side', { key: robin })
    expect(await refusal()).toContain(`verifying commit ${late}, below the head`)
  })

  it.each([
    ['taken away', null, 'missing'],
    ['emptied', '', 'names nobody'],
    ['broken', 'kim@example\n', 'line 1'],
    ['made to trust an authority', 'k cert-authority ssh-ed25519 AAAA\n', 'line 1'],
  ])('may not be %s: nobody could sign what follows', async (_, text, found) => {
    await startWithListInRepository()
    repository.commit('bad list', { key: kim, files: { [list]: text } })
    expect(await refusal()).toContain(found)
  })
})
