import { createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HttpServer } from './http.ts'
import type { SourceConfig } from './source-config.ts'
import { startWebhookServer } from './webhook-server.ts'

const secret = 'a secret long enough'
const paceMs = 200
const git = { branch: 'main', path: '.', pollInterval: 30_000, webhookUrls: [] }
const sources: readonly SourceConfig[] = [
  { kind: 'git', name: 'fleet', url: 'ssh://git@git.example:2222/os/fleet.git', ...git },
  { kind: 'git', name: 'next', url: 'https://git.example/os/fleet', ...git, branch: 'next' },
  {
    kind: 'git',
    name: 'inside',
    url: '/srv/platform.git',
    ...git,
    webhookUrls: ['https://git.example/os/platform'],
  },
  { kind: 'folder', name: 'local', path: '/srv/local', pollInterval: 30_000 },
]

let dir: string
let server: HttpServer
let woken: string[]
let leads: boolean
let log: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-webhooks-'))
  const secretFile = join(dir, 'secret')
  await writeFile(secretFile, `${secret}\n`)
  woken = []
  leads = true
  log = ''
  server = await start({ secretFile })
})
afterEach(async () => {
  await server.close()
  await rm(dir, { recursive: true, force: true })
})

function start(receiver: { readonly secretFile: string }): Promise<HttpServer> {
  const each = { github: receiver, gitlab: receiver, gitea: receiver, forgejo: receiver, registry: receiver }
  return startWebhookServer({
    webhooks: { listen: '127.0.0.1:0', ...each },
    sources,
    current: () =>
      leads
        ? {
            wake: (name) => void woken.push(name),
            wakeImages: () => void woken.push('images'),
            follows: (repository) => repository === 'os/edge',
          }
        : null,
    logger: pino({ level: 'trace' }, { write: (line: string) => void (log += line) }),
    paceMs,
  })
}

const sign = (body: string, key: string): string => createHmac('sha256', key).update(body).digest('hex')
let deliveries = 0
type Sent = { readonly body?: string; readonly key?: string; readonly headers?: Record<string, string> }

const shapes: Record<string, (body: string, key: string) => Record<string, string>> = {
  github: (body, key) => ({
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': `delivery-${(deliveries += 1)}`,
    'X-Hub-Signature-256': `sha256=${sign(body, key)}`,
  }),
  gitlab: (_, key) => ({
    'X-Gitlab-Event': 'Push Hook',
    'X-Gitlab-Event-UUID': `delivery-${(deliveries += 1)}`,
    'X-Gitlab-Token': key,
  }),
  gitea: (body, key) => ({
    'X-Gitea-Event': 'push',
    'X-Gitea-Delivery': `delivery-${(deliveries += 1)}`,
    'X-Gitea-Signature': sign(body, key),
  }),
  forgejo: (body, key) => ({
    'X-Forgejo-Event': 'push',
    'X-Forgejo-Delivery': `delivery-${(deliveries += 1)}`,
    'X-Forgejo-Signature': sign(body, key),
    'X-Gitea-Signature': sign(body, key),
  }),
}

const repository = {
  full_name: 'os/fleet',
  clone_url: 'https://git.example/os/fleet.git',
  ssh_url: 'git@git.example:os/fleet.git',
  html_url: 'https://git.example/os/fleet',
}
const payloads: Record<string, unknown> = {
  github: { ref: 'refs/heads/main', after: 'b'.repeat(40), repository: { id: 1, ...repository } },
  gitlab: {
    object_kind: 'push',
    ref: 'refs/heads/main',
    project: { git_http_url: repository.clone_url, git_ssh_url: repository.ssh_url },
    repository: { url: repository.ssh_url, homepage: repository.html_url },
  },
  gitea: { ref: 'refs/heads/main', after: 'b'.repeat(40), repository },
  forgejo: { ref: 'refs/heads/main', after: 'b'.repeat(40), repository },
}

async function send(forge: string, { body, key = secret, headers = {} }: Sent = {}): Promise<number> {
  const text = body ?? JSON.stringify(payloads[forge])
  const response = await fetch(`http://${server.address}/webhooks/${forge}`, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json', ...shapes[forge]?.(text, key), ...headers },
  })
  expect(await response.text()).toBe('')
  return response.status
}

describe.each(['github', 'gitlab', 'gitea', 'forgejo'])('a webhook of %s', (forge) => {
  it('wakes the source whose repository and branch it is about, and no other', async () => {
    expect(await send(forge)).toBe(204)
    expect(woken).toEqual(['fleet'])
  })

  it.each([
    ['a wrong secret', { key: 'a secret just as long' }],
    [
      'no signature',
      {
        headers: {
          'X-Hub-Signature-256': '',
          'X-Gitlab-Token': '',
          'X-Gitea-Signature': '',
          'X-Forgejo-Signature': '',
        },
      },
    ],
  ])('is refused with %s, and wakes nobody', async (_, sent) => {
    expect(await send(forge, sent)).toBe(401)
    expect(woken).toEqual([])
    expect(log).toContain('wrong secret')
    expect(log).not.toContain('a secret ')
  })

  it('wakes nobody about another repository, another branch or what is no push', async () => {
    const other = JSON.stringify(payloads[forge]).replaceAll('os/fleet', 'os/other')
    expect(await send(forge, { body: other })).toBe(204)
    const branch = JSON.stringify(payloads[forge]).replace('refs/heads/main', 'refs/heads/feature')
    expect(await send(forge, { body: branch })).toBe(204)
    const event =
      forge === 'gitlab' ? 'X-Gitlab-Event' : forge === 'github' ? 'X-GitHub-Event' : `X-${forge}-Event`
    expect(await send(forge, { headers: { [event]: 'issues' } })).toBe(204)
    expect(woken).toEqual([])
  })

  it('is refused as malformed when it is no payload, and not remembered', async () => {
    expect(await send(forge, { body: 'none' })).toBe(400)
    expect(await send(forge, { body: '[]' })).toBe(400)
    expect(woken).toEqual([])
  })
})

it('takes a form, as GitHub sends by default', async () => {
  const body = new URLSearchParams({ payload: JSON.stringify(payloads['github']) }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  expect(await send('github', { body, headers })).toBe(204)
  expect(woken).toEqual(['fleet'])
})

it('knows a repository by a further address', async () => {
  const body = JSON.stringify(payloads['gitea']).replaceAll('os/fleet', 'os/platform')
  expect(await send('gitea', { body })).toBe(204)
  expect(woken).toEqual(['inside'])
})

it('wakes nobody by a delivery that came before', async () => {
  const headers = { 'X-GitHub-Delivery': 'the same' }
  expect(await send('github', { headers })).toBe(204)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await send('github', { headers })).toBe(204)
  expect(woken).toEqual(['fleet'])
})

it('wakes once in the interval, whatever ids a replay invents', async () => {
  const beganMs = performance.now()
  for (let replays = 0; replays < 30; replays += 1) expect(await send('github')).toBe(204)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(woken.length).toBeGreaterThan(0)
  // One at its begin, one at its end, and those of the intervals between.
  expect(woken.length).toBeLessThanOrEqual(2 + (performance.now() - beganMs) / paceMs)
})

it('says that another controller leads, so that the sender tries again', async () => {
  leads = false
  const headers = { 'X-GitHub-Delivery': 'again' }
  expect(await send('github', { headers })).toBe(503)
  leads = true
  expect(await send('github', { headers })).toBe(204)
  expect(woken).toEqual(['fleet'])
})

it('takes a secret that was exchanged', async () => {
  await writeFile(join(dir, 'secret'), 'quite another secret')
  expect(await send('gitlab')).toBe(401)
  expect(await send('gitlab', { key: 'quite another secret' })).toBe(204)
})

it.each([
  ['absent', null],
  ['too short', 'short'],
])('does not start with a secret that is %s', async (_, text) => {
  const secretFile = join(dir, 'other')
  if (text !== null) await writeFile(secretFile, text)
  await expect(start({ secretFile })).rejects.toMatchObject({ code: 'ConfigInvalid' })
})
