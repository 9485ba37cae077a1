import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultAuthFiles, findCredentials } from './credentials.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-auth-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function file(name: string, content: unknown): Promise<string> {
  const path = join(dir, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const login = (text: string) => ({ auth: Buffer.from(text).toString('base64') })

test('logins are looked for where podman and docker keep them', () => {
  expect(defaultAuthFiles({ XDG_RUNTIME_DIR: '/run/user/0' }, '/root')).toEqual([
    '/run/user/0/containers/auth.json',
    '/root/.config/containers/auth.json',
    '/root/.docker/config.json',
  ])
  expect(defaultAuthFiles({ XDG_CONFIG_HOME: '/c', DOCKER_CONFIG: '/d' }, '/root')).toEqual([
    '/c/containers/auth.json',
    '/d/config.json',
  ])
  expect(defaultAuthFiles({ REGISTRY_AUTH_FILE: '/only' }, '/root')).toEqual(['/only'])
})

test('the first file that knows the repository wins, and in it the most specific key', async () => {
  const first = await file('first.json', {
    auths: { 'r.example/os': login('a:1'), 'r.example': login('b:2') },
  })
  const second = await file('second.json', {
    auths: { 'https://other.example': login('c:3'), 'r.example/os/edge': login('d:4') },
  })
  const files = [first, second]
  expect(await findCredentials(files, 'r.example', 'os/edge')).toEqual({
    kind: 'basic',
    username: 'a',
    password: '1',
  })
  expect(await findCredentials(files, 'r.example', 'apps/x')).toMatchObject({ username: 'b' })
  expect(await findCredentials(files, 'other.example', 'x')).toMatchObject({ username: 'c' })
  expect(await findCredentials(files, 'unknown.example', 'x')).toEqual({ kind: 'none' })
  const hub = await file('hub.json', { auths: { 'https://index.docker.io/v1/': login('h:5') } })
  expect(await findCredentials([hub], 'docker.io', 'library/x')).toMatchObject({ username: 'h' })
})

test.each([
  ['a credential helper', { credHelpers: { 'r.example': 'ecr-login' } }],
  ['a credential store', { auths: { 'r.example': {} }, credsStore: 'secretservice' }],
  ['a broken entry', { auths: { 'r.example': login('s3cret-without-colon') } }],
  ['broken JSON', '{"auths": s3cret'],
  ['another form', { auths: 's3cret' }],
])('%s is a clear refusal that shows no secret', async (_, content) => {
  const failed: unknown = await findCredentials([await file('broken.json', content)], 'r.example', 'x').catch(
    (error: unknown) => error,
  )
  expect(failed).toMatchObject({
    code: 'RegistryDenied',
    message: expect.stringContaining('broken.json') as string,
  })
  expect(JSON.stringify(failed, ['message', 'cause', 'stack'])).not.toContain('s3cret')
})
