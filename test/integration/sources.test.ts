import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startController } from '../support/controller.ts'
import type { Controller } from '../support/controller.ts'
import { createGitRepository } from '../support/git-repository.ts'
import type { GitRepository } from '../support/git-repository.ts'
import { startNatsServer } from '../support/nats-server.ts'
import type { NatsServer } from '../support/nats-server.ts'
import { startRegistry } from '../support/registry.ts'
import type { Registry } from '../support/registry.ts'
import { untilStatus } from '../support/small-fleet.ts'

const secret = 'a secret long enough'
let dir: string
let nats: NatsServer
let registry: Registry
let git: GitRepository
let forge: Server
let told: { readonly path: string | undefined; readonly token: string | undefined; readonly body: string }[]
let controller: Controller

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-sources-'))
  await mkdir(join(dir, 'folder'))
  for (const name of ['webhook', 'token'])
    await writeFile(join(dir, name), `${secret} ${name}`.replaceAll(' ', '-'))
  nats = await startNatsServer()
  registry = await startRegistry(dir)
  git = createGitRepository(dir)
  told = []
  forge = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      told.push({ path: request.url, token: request.headers.authorization, body })
      response.writeHead(201).end('{}')
    })
  })
  await new Promise<void>((done) => forge.listen(0, '127.0.0.1', done))
})
afterEach(async () => {
  controller.operator.close()
  await controller.stop()
  forge.closeAllConnections()
  forge.close()
  await registry.stop()
  await nats.stop()
  await rm(dir, { recursive: true, force: true })
})

const fleet = (name: string, image: string): string => `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { site: ${name} } }
  image: { repository: ${registry.address}/os/edge, ${image} }
`

async function start(): Promise<void> {
  const { port } = forge.address() as AddressInfo
  const commitStatus = {
    forge: 'forgejo',
    repository: 'os/fleet',
    tokenFile: 'token',
    apiUrl: `http://127.0.0.1:${port}/api/v1`,
  }
  const webhookUrls = ['https://git.example/os/fleet.git']
  controller = await startController({
    dir,
    gitUrl: git.url,
    nats,
    plainHttpHosts: [registry.address],
    settings: {
      git: undefined,
      sources: [
        { name: 'apps', git: { url: git.url, pollInterval: '1h', webhookUrls, commitStatus } },
        { name: 'local', folder: { path: 'folder', pollInterval: '1s' } },
      ],
      webhooks: { listen: '127.0.0.1:0', forgejo: { secretFile: 'webhook' } },
    },
  })
}

async function push(commit: string, key: string): Promise<number> {
  const address = (await readFile(join(dir, 'controller', 'webhook-address'), 'utf8')).trim()
  const body = JSON.stringify({
    ref: 'refs/heads/main',
    after: commit,
    repository: { clone_url: 'https://git.example/os/fleet.git', ssh_url: 'git@git.example:os/fleet.git' },
  })
  const headers = {
    'X-Forgejo-Event': 'push',
    'X-Forgejo-Delivery': commit,
    'X-Forgejo-Signature': createHmac('sha256', key).update(body).digest('hex'),
  }
  return (await fetch(`http://${address}/webhooks/forgejo`, { method: 'POST', body, headers })).status
}

test('a repository and a folder are one desired state; a webhook wakes the one, its forge hears what became of it', async () => {
  await registry.pushEmptyImage('os/edge', '42.0.0')
  const newest = await registry.pushEmptyImage('os/edge', '42.0.1')
  const first = git.commit({ 'edge.yaml': fleet('edge', 'semver: "42.x"') }, 'Edge')
  await writeFile(join(dir, 'folder', 'lab.yaml'), fleet('lab', `digest: "${newest}"`))
  await start()
  const status = await untilStatus(controller, ({ fleets }) => fleets.length === 2)
  expect(status.sources.map(({ name }) => name)).toEqual(['apps', 'local'])
  expect(status.source?.acceptedCommit).toBe(first)
  expect(status.fleets).toMatchObject([
    { name: 'edge', digest: newest, acceptedCommit: first },
    { name: 'lab', digest: newest, acceptedCommit: status.sources[1]?.acceptedCommit },
  ])
  const second = git.commit({ 'edge.yaml': fleet('edge', 'tag: "42.0.0"') }, 'Back')
  const key = await readFile(join(dir, 'webhook'), 'utf8')
  expect(await push(second, `${key}r`)).toBe(401)
  expect(await push(second, key)).toBe(204)
  await untilStatus(controller, ({ fleets }) => fleets[0]?.acceptedCommit === second)
  const paths = (): readonly (string | undefined)[] => told.map(({ path }) => path)
  const path = `/api/v1/repos/os/fleet/statuses/${second}`
  await vi.waitFor(() => expect(paths().filter((each) => each === path)).toHaveLength(2), 90_000)
  const contexts = told.filter((each) => each.path === path).map(({ body }) => JSON.parse(body) as unknown)
  expect(contexts).toMatchObject([
    { context: 'bootfleet', state: 'success' },
    { context: 'bootfleet/edge', state: 'pending' },
  ])
  const token = await readFile(join(dir, 'token'), 'utf8')
  expect(told[0]?.token).toBe(`token ${token}`)
  const log = await controller.log()
  expect(log).not.toContain(token)
  expect(log).not.toContain(key)
})
