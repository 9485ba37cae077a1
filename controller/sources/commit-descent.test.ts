import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allowed, createSignedRepository, makeSshKey } from '../../test/support/signed-repository.ts'
import type { SignedRepository, SshKey } from '../../test/support/signed-repository.ts'
import { createGitSource } from './git.ts'
import type { GitSourceConfig, SourceSnapshot } from './git.ts'
import type { Anchor, VerifyConfig } from './verified.ts'

const never = new AbortController().signal
let dir = ''
let repository: SignedRepository
let kim: SshKey
let verify: VerifyConfig
let anchor: Anchor | null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-descent-'))
  repository = createSignedRepository(dir)
  kim = makeSshKey(dir, 'kim')
  const allowedSignersFile = join(dir, 'allowed')
  await writeFile(allowedSignersFile, allowed('kim@example', kim))
  verify = { commits: 'ssh', allowedSignersFile, maxCommits: 80 }
  anchor = null
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function poll(config: Partial<GitSourceConfig> = {}): Promise<SourceSnapshot> {
  const mirrorDir = join(dir, 'mirror')
  const source = createGitSource({
    url: repository.url,
    branch: 'main',
    path: '',
    mirrorDir,
    verify,
    ...config,
  })
  return source.poll(never, anchor)
}

async function accept(): Promise<string> {
  const { commit, verified } = await poll()
  if (verified === undefined) throw new Error('not verified')
  anchor = { commit, verified }
  return commit
}

async function refusal(config: Partial<GitSourceConfig> = {}): Promise<string> {
  const error: unknown = await poll(config).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'UntrustedCommit' })
  return (error as Error).message
}

describe('a commit that does not descend from the last accepted one', () => {
  it.each(['went back', 'was rewritten'])('is refused, though signed, when the branch %s', async (how) => {
    repository.commit('first', { key: kim })
    repository.commit('second', { key: kim })
    const second = await accept()
    if (how === 'went back') repository.git('reset', '-q', '--hard', 'HEAD~1')
    else {
      repository.git('checkout', '-q', '--orphan', 'fresh')
      repository.commit('anew', { key: kim })
      repository.git('branch', '--force', 'main', 'fresh')
    }
    const message = await refusal()
    expect(message).toContain(`does not descend from ${second}`)
    expect(message).toContain('git revert')
    await rm(join(dir, 'mirror'), { recursive: true })
    expect(await refusal()).toContain(`does not descend from ${second}`)
  })

  it('is accepted when an operator names it, once: the branch cannot go back there later', async () => {
    repository.commit('first', { key: kim })
    const first = await accept()
    repository.git('checkout', '-q', '--orphan', 'fresh')
    const anew = repository.commit('anew', { key: null })
    repository.git('branch', '--force', 'main', 'fresh')
    verify = { ...verify, startCommit: anew }
    expect(await accept()).toBe(anew)
    expect(anchor?.verified.signer).toBeNull()
    repository.git('checkout', '-q', 'main')
    repository.commit('on it', { key: kim })
    const next = await accept()
    expect(anchor?.verified).toMatchObject({ startCommit: anew, signer: { principal: 'kim@example' } })
    repository.git('reset', '-q', '--hard', anew)
    expect(await refusal()).toContain(`does not descend from ${next}`)
    repository.git('reset', '-q', '--hard', first)
    verify = { ...verify, startCommit: 'f'.repeat(40) }
    expect(await refusal()).toContain('does not descend from ffff')
  })

  it('needs no list in a file where an operator named the start and the list is in the repository', async () => {
    const files = { 'trust/signers': allowed('kim@example', kim) }
    const startCommit = repository.commit('here it begins', { key: null, files })
    verify = { commits: 'ssh', allowedSigners: 'trust/signers', startCommit, maxCommits: 80 }
    repository.commit('first', { key: kim })
    await accept()
    repository.commit('second', { key: null })
    expect(await refusal()).toContain('it is not signed')
  })
})

describe('a long history', () => {
  it('is fetched no further back than it takes, and verified whole', async () => {
    repository.commit('root')
    addUnsigned(100)
    repository.commit('first', { key: kim })
    await accept()
    expect(await boundaries()).toHaveLength(1)
    repository.commit('second', { key: kim })
    await accept()
    expect(await boundaries()).toHaveLength(1)
    const unsigned = repository.commit('unsigned')
    addUnsigned(70)
    repository.commit('signed again', { key: kim })
    expect(await refusal()).toContain(`verifying commit ${unsigned}, below the head`)
    addUnsigned(10)
    expect(await refusal()).toContain('more than 80 commits follow')
  })

  it('is bounded by what it may take on disk', async () => {
    repository.commit('first', { key: kim })
    await accept()
    const noise = Array.from({ length: 9000 }, () => Math.random()).join()
    repository.commit('large', { key: kim, files: { 'noise.bin': noise } })
    repository.commit('small again', { key: kim, files: { 'noise.bin': null } })
    const large = poll({ limits: { maxMirrorBytes: 50_000 } })
    await expect(large).rejects.toMatchObject({ code: 'SourceTooLarge' })
  })

  it('is refused where the remote holds only a part of what is new', async () => {
    repository.commit('first', { key: kim })
    await accept()
    const first = repository.git('rev-parse', 'HEAD')
    repository.git('checkout', '-q', '--orphan', 'side')
    repository.commit('unsigned, and soon out of sight')
    const cut = repository.commit('the cut', { key: kim })
    repository.git('checkout', '-q', 'main')
    repository.git('merge', '-q', '--allow-unrelated-histories', '--no-commit', '--no-ff', 'side')
    repository.commit('merge', { key: kim })
    await writeFile(join(repository.url, '.git', 'shallow'), `${cut}\n`)
    expect(await refusal()).toContain(`only a part of the history since ${first}`)
  })
})

/** Many, in one process. */
function addUnsigned(count: number): void {
  const commit = 'commit refs/heads/main\ncommitter Kim <kim@example> 1780000000 +0000\ndata 1\nx\n'
  const input = Array.from({ length: count }, (_, index) =>
    index === 0 ? `${commit}from refs/heads/main^0\n\n` : `${commit}\n`,
  ).join('')
  execFileSync('git', ['-C', repository.url, 'fast-import', '--quiet'], { input })
}

async function boundaries(): Promise<readonly string[]> {
  const text = await readFile(join(dir, 'mirror', 'mirror.git', 'shallow'), 'utf8')
  return text.split('\n').filter(Boolean)
}
