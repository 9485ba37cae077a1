import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRegistryClient } from './registry-client.ts'
import type { RegistryClientOptions, ResolvedImage } from './registry-client.ts'

const never = new AbortController().signal
let dir = ''
let host = ''
let registry: ChildProcess | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-docker-registry-'))
  host = `127.0.0.1:${await freePort()}`
  // glibc's crypt knows bcrypt, the only hash that the registry takes.
  const hash = execFileSync('perl', [
    '-e',
    'print crypt("pa:ss", q($2y$04$abcdefghijklmnopqrstuu))',
  ]).toString()
  await writeFile(join(dir, 'htpasswd'), `fleet:${hash}\n`)
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(dir, 'storage') } },
    http: { addr: host },
    auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } },
  }
  await writeFile(join(dir, 'config.yml'), JSON.stringify(config))
  registry = spawn('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: 'ignore' })
  for (let attempt = 0; attempt < 500 && !(await answers()); attempt += 1) await delay(100)
  const login = { auths: { [host]: { auth: Buffer.from('fleet:pa:ss').toString('base64') } } }
  await writeFile(join(dir, 'auth.json'), JSON.stringify(login))
  await push()
}, 60_000)

afterAll(async () => {
  registry?.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const answers = () => fetch(`http://${host}/v2/`).then(({ status }) => status === 401, () => false) // prettier-ignore

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** A layerless image is enough: only manifests and configurations are read. */
async function push(): Promise<void> {
  const root = ['--root', join(dir, 'containers'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs']
  const buildah = (...args: string[]) => execa('buildah', [...root, ...args])
  const container = (await buildah('from', '--name', 'edge', 'scratch')).stdout
  await buildah('config', '--label', 'org.opencontainers.image.version=42.0.1', '--arch', 'amd64', container)
  await buildah('commit', '--quiet', container, 'edge')
  const to = ['--authfile', join(dir, 'auth.json'), '--tls-verify=false']
  await buildah('push', '--quiet', ...to, 'edge', `docker://${host}/os/edge:stable`)
  await buildah('manifest', 'create', 'many', 'edge')
  await buildah('manifest', 'push', '--all', '--quiet', ...to, 'many', `docker://${host}/os/edge:index`)
  await buildah('rm', '--all')
}

async function resolve(tag: string, options: Partial<RegistryClientOptions> = {}): Promise<ResolvedImage> {
  const client = createRegistryClient({
    plainHttpHosts: [host],
    authFiles: [join(dir, 'auth.json')],
    ...options,
  })
  try {
    return await client.resolve({ kind: 'tag', repository: `${host}/os/edge`, tag, minimumAgeMs: 0 }, never)
  } finally {
    await client.close()
  }
}

test('a pushed image is resolved to the digest that skopeo sees', async () => {
  const flags = ['--authfile', join(dir, 'auth.json'), '--tls-verify=false', '--format', '{{.Digest}}']
  const seen = (await execa('skopeo', ['inspect', ...flags, `docker://${host}/os/edge:stable`])).stdout
  expect(await resolve('stable')).toEqual({
    repository: `${host}/os/edge`,
    tag: 'stable',
    digest: seen,
    version: '42.0.1',
    manifests: { amd64: seen },
  })
})

test('a pushed index names the image of its architecture', async () => {
  const [single, many] = [await resolve('stable'), await resolve('index')]
  expect(many.digest).not.toBe(single.digest)
  expect(many.manifests).toEqual({ amd64: single.digest })
  expect(many.version).toBe('42.0.1')
})

test('without a login, or with a wrong one, access is denied', async () => {
  await expect(resolve('stable', { authFiles: [] })).rejects.toMatchObject({ code: 'RegistryDenied' })
  const wrong = join(dir, 'wrong.json')
  await writeFile(
    wrong,
    JSON.stringify({ auths: { [host]: { auth: Buffer.from('fleet:no').toString('base64') } } }),
  )
  await expect(resolve('stable', { authFiles: [wrong] })).rejects.toMatchObject({ code: 'RegistryDenied' })
})

test('a tag that was never pushed is not found', async () => {
  await expect(resolve('absent')).rejects.toMatchObject({ code: 'ImageNotFound' })
})

test('the tags of a repository are listed, and each has its digest', async () => {
  const client = createRegistryClient({ plainHttpHosts: [host], authFiles: [join(dir, 'auth.json')] })
  try {
    expect((await client.tags(`${host}/os/edge`, never)).toSorted()).toEqual(['index', 'stable'])
    expect(await client.digestOf(`${host}/os/edge`, 'stable', never)).toBe((await resolve('stable')).digest)
  } finally {
    await client.close()
  }
})
