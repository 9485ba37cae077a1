import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createGitRepository } from '../../test/support/git-repository.ts'
import { startGitHttp } from '../../test/support/git-server.ts'
import type { GitHttpServer } from '../../test/support/git-server.ts'
import { createGitSource } from './git.ts'

const never = new AbortController().signal
let dir = ''
let server: GitHttpServer
let commit = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-git-credentials-'))
  commit = createGitRepository(dir).commit({ 'edge.yaml': 'a: 1\n' }, 'first')
  server = await startGitHttp(dir, 's3cret')
})
afterEach(async () => {
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})

function source() {
  const url = `http://${server.address}/fleet.git`
  const credentials = { username: 'robot', passwordFile: join(dir, 'password') }
  return createGitSource({ url, branch: 'main', path: '.', credentials, mirrorDir: join(dir, 'mirror') })
}

test('a password from a file opens the repository, and an exchanged one is taken at the next poll', async () => {
  const polled = source()
  await writeFile(join(dir, 'password'), 'outdated\n')
  await expect(polled.poll(never, null)).rejects.toMatchObject({ code: 'SourceUnreachable' })
  await writeFile(join(dir, 'password'), 's3cret\n')
  expect((await polled.poll(never, null)).commit).toBe(commit)
})

test('a missing password file says so, and no message holds the password', async () => {
  const missing = await source().poll(never, null).catch(String)
  expect(missing).toContain('correct passwordFile')
  await writeFile(join(dir, 'password'), 'wr0ng')
  const refused = await source().poll(never, null).catch(String)
  expect(refused).toContain('check the address, the network and the credentials')
  expect(refused).not.toMatch(/wr0ng|robot/)
})
