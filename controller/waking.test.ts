import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createHmac } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createGitRepository } from '../test/support/git-repository.ts'
import { startRegistry } from '../test/support/registry.ts'
import type { Registry } from '../test/support/registry.ts'
import { noImageTrust } from './image-trust.ts'
import type { HttpServer } from './http.ts'
import { createRegistryClient } from './images/registry-client.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { openSource } from './open-sources.ts'
import type { SourceConfig } from './source-config.ts'
import { SourcesLoop } from './sources-loop.ts'
import type { Wanted } from './wanting-loop.ts'
import { startWebhookServer } from './webhook-server.ts'

const logger = pino({ level: 'silent' })
const secret = 'a secret long enough'
let dir: string
let registry: Registry
let client: RegistryClient
let webhooks: HttpServer
let loop: SourcesLoop
let wants: Wanted[]
let repository: ReturnType<typeof createGitRepository>
let stop: () => Promise<void>

const fleet = (image: string): string => `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: ${registry.address}/os/edge, ${image} }
`

/** An hour between polls: whatever comes within the test was woken. */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-waking-'))
  await writeFile(join(dir, 'secret'), secret)
  repository = createGitRepository(dir)
  const source: SourceConfig = {
    kind: 'git',
    name: 'fleet',
    url: repository.url,
    branch: 'main',
    path: '.',
    pollInterval: 3_600_000,
    webhookUrls: ['https://git.example/os/fleet.git'],
  }
  const receiver = { secretFile: join(dir, 'secret') }
  webhooks = await startWebhookServer({
    webhooks: { listen: '127.0.0.1:0', gitea: receiver, registry: receiver },
    sources: [source],
    current: () => loop,
    logger,
    paceMs: 100,
  })
  const url = `http://${webhooks.address}/notifications/registry`
  registry = await startRegistry(dir, { url, authorization: `Bearer ${secret}` })
  client = createRegistryClient({ plainHttpHosts: [registry.address] })
  wants = []
  loop = new SourcesLoop({
    sources: [openSource(source, dir)],
    registry: client,
    trust: noImageTrust,
    stateDir: dir,
    term: 1,
    logger,
    want: async (wanted) => void wants.push(wanted),
    labelsOf: () => null,
    refuse: async () => null,
    onChange: () => undefined,
  })
  const ending = new AbortController()
  const ended = loop.run(ending.signal)
  stop = async () => {
    ending.abort()
    await ended
  }
})
afterEach(async () => {
  await stop()
  await webhooks.close()
  await client.close()
  await registry.stop()
  await rm(dir, { recursive: true, force: true })
})

const digestNow = (): string | undefined => wants.at(-1)?.fleets[0]?.image?.digest

it('a push that a forge tells of is in force at once', async () => {
  await registry.pushEmptyImage('os/edge', '42.0.0')
  const second = await registry.pushEmptyImage('os/edge', '42.0.1')
  repository.commit({ 'fleet.yaml': fleet('tag: "42.0.0"') }, 'first')
  await loop.sync()
  const after = repository.commit({ 'fleet.yaml': fleet('tag: "42.0.1"') }, 'second')
  const body = JSON.stringify({
    ref: 'refs/heads/main',
    after,
    repository: { clone_url: 'https://git.example/os/fleet.git' },
  })
  const response = await fetch(`http://${webhooks.address}/webhooks/gitea`, {
    method: 'POST',
    body,
    headers: {
      'X-Gitea-Event': 'push',
      'X-Gitea-Delivery': 'f6266f16-1bf3-46a5-9ea4-602e06ead473',
      'X-Gitea-Signature': createHmac('sha256', secret).update(body).digest('hex'),
    },
  })
  expect(response.status).toBe(204)
  await vi.waitFor(() => expect(digestNow()).toBe(second), 90_000)
  expect(wants.at(-1)).toMatchObject({ commit: after, fleets: [{ commit: after }] })
})

it('an image that a registry tells of is wanted at once, by tag and by range', async () => {
  const first = await registry.pushEmptyImage('os/edge', '42.0.0')
  repository.commit({ 'fleet.yaml': fleet('semver: "42.x"') }, 'first')
  await loop.sync()
  expect(digestNow()).toBe(first)
  await registry.pushEmptyImage('os/other', '42.0.9')
  const second = await registry.pushEmptyImage('os/edge', '42.0.10')
  await vi.waitFor(() => expect(digestNow()).toBe(second), 90_000)
})
