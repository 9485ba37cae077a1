import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createGitSource } from '../../controller/sources/git.ts'
import type { GitSource } from '../../controller/sources/git.ts'
import { createGitRepository } from '../support/git-repository.ts'
import type { GitRepository } from '../support/git-repository.ts'
import { startGitHttp, startSshServer } from '../support/git-server.ts'
import type { GitHttpServer, SshServer } from '../support/git-server.ts'

const signal = new AbortController().signal
let dir: string
let git: GitRepository

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-transport-'))
  git = createGitRepository(dir)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(dir, { recursive: true, force: true })
})

function sourceAt(url: string): GitSource {
  return createGitSource({ url, branch: 'main', path: '.', mirrorDir: join(dir, 'mirror') })
}

describe('over http', () => {
  const password = 'p@ss/w:rd'
  let server: GitHttpServer

  beforeEach(async () => {
    server = await startGitHttp(dir, password)
  })
  afterEach(() => server.stop())

  test('commits are followed with the user and password of the URL', async () => {
    const source = sourceAt(`http://robot:${encodeURIComponent(password)}@${server.address}/fleet.git`)
    const first = git.commit({ 'a.yaml': 'one: 1' }, 'One')
    expect(await source.poll(signal, null)).toMatchObject({
      commit: first,
      subject: 'One',
      files: [{ path: 'a.yaml', text: 'one: 1' }],
    })
    const second = git.rewrite({ 'a.yaml': 'two: 2' }, 'Two')
    expect(await source.poll(signal, null)).toMatchObject({ commit: second, files: [{ text: 'two: 2' }] })
    expect(server.authorizations).not.toContain(undefined)
  })

  test('a wrong password is told without it, and no program is started with it', async () => {
    const argumentsPath = join(dir, 'arguments')
    await writeFile(join(dir, 'git'), `#!/bin/sh\necho "$@" >> ${argumentsPath}\nexec /usr/bin/git "$@"\n`, {
      mode: 0o755,
    })
    vi.stubEnv('PATH', `${dir}:${process.env['PATH']}`)
    const source = sourceAt(`http://robot:wrong-secret@${server.address}/fleet.git`)
    const failure = await source.poll(signal, null).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'SourceUnreachable' })
    expect(String(failure)).toContain(server.address)
    expect(String(failure)).not.toMatch(/wrong-secret|robot/)
    const started = await readFile(argumentsPath, 'utf8')
    expect(started).toContain('ls-remote')
    expect(started).not.toMatch(/wrong-secret|robot/)
  })
})

describe('over ssh', () => {
  let server: SshServer

  beforeEach(async () => {
    server = await startSshServer(dir)
  })
  afterEach(() => server.stop())

  test('commits are followed with the key that the operator names', async () => {
    vi.stubEnv('GIT_SSH_COMMAND', server.command)
    const source = sourceAt(`ssh://${userInfo().username}@127.0.0.1:${server.port}${git.url}`)
    const first = git.commit({ 'a.yaml': 'one: 1' }, 'One')
    expect(await source.poll(signal, null)).toMatchObject({ commit: first, files: [{ text: 'one: 1' }] })
    const second = git.commit({ 'a.yaml': 'two: 2' }, 'Two')
    expect(await source.poll(signal, null)).toMatchObject({ commit: second, files: [{ text: 'two: 2' }] })
  })

  test('a server of unknown key is refused without a question', async () => {
    vi.stubEnv('GIT_SSH_COMMAND', server.command)
    await writeFile(join(dir, 'known_hosts'), '')
    git.commit({ 'a.yaml': 'one: 1' }, 'One')
    const source = sourceAt(`ssh://${userInfo().username}@127.0.0.1:${server.port}${git.url}`)
    await expect(source.poll(signal, null)).rejects.toThrow(/Host key verification failed/)
  })
})
