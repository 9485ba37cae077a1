import { createServer } from 'node:http'
import type { IncomingHttpHeaders, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createStatusClient } from './commit-status.ts'
import type { CommitStatus, StatusClient, StatusTarget } from './commit-status.ts'

type Call = {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

const never = new AbortController().signal
const commit = 'c'.repeat(40)
const status: CommitStatus = {
  commit,
  context: 'bootfleet/edge',
  state: 'failure',
  description: '42.1.3 was rolled back',
}
let server: Server
let apiUrl: string
let client: StatusClient
let calls: Call[]
let answer: { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }

beforeEach(async () => {
  calls = []
  answer = { status: 201, body: '{}' }
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, headers } = request
      calls.push({
        method,
        url,
        headers,
        body: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown,
      })
      response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`
  client = createStatusClient()
})
afterEach(async () => {
  await client.close()
  server.closeAllConnections()
  server.close()
})

function send(forge: StatusTarget['forge'], repository = 'os/fleet', what = status): Promise<void> {
  return client.send({ forge, repository, apiUrl }, what, 'tok-en', never)
}

it('speaks to GitHub as its documentation says', async () => {
  await send('github')
  expect(calls).toMatchObject([
    {
      method: 'POST',
      url: `/api/repos/os/fleet/statuses/${commit}`,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: 'Bearer tok-en',
        'x-github-api-version': '2022-11-28',
        'content-type': 'application/json',
        'user-agent': 'bootfleet-controller',
      },
      body: { state: 'failure', context: 'bootfleet/edge', description: '42.1.3 was rolled back' },
    },
  ])
})

it.each(['gitea', 'forgejo'] as const)('speaks to %s as its documentation says', async (forge) => {
  await send(forge)
  expect(calls).toMatchObject([
    {
      method: 'POST',
      url: `/api/repos/os/fleet/statuses/${commit}`,
      headers: { authorization: 'token tok-en', 'content-type': 'application/json' },
      body: { state: 'failure', context: 'bootfleet/edge', description: '42.1.3 was rolled back' },
    },
  ])
})

it('speaks to GitLab as its documentation says, by the path of a project in groups', async () => {
  await send('gitlab', 'group/os/fleet')
  expect(calls).toMatchObject([
    {
      method: 'POST',
      url: `/api/projects/group%2Fos%2Ffleet/statuses/${commit}`,
      headers: { 'private-token': 'tok-en', 'content-type': 'application/json' },
      body: { state: 'failed', name: 'bootfleet/edge', description: '42.1.3 was rolled back' },
    },
  ])
  expect(calls[0]?.headers.authorization).toBeUndefined()
})

it('keeps a description to one line of 140 characters', async () => {
  await send('github', 'os/fleet', { ...status, description: `first\nsecond ${'x'.repeat(200)}` })
  expect(calls).toMatchObject([
    { body: { description: expect.stringMatching(/^first second x{126}…$/) as string } },
  ])
})

it('takes it for done when GitLab was told the same before', async () => {
  answer = { status: 400, body: '{"message":"Cannot transition status via :enqueue from :pending"}' }
  await expect(send('gitlab')).resolves.toBeUndefined()
})

it.each([
  [401, {}, 'ForgeDenied', undefined],
  [403, {}, 'ForgeDenied', undefined],
  [404, {}, 'ForgeDenied', undefined],
  [422, {}, 'ForgeDenied', undefined],
  [302, { location: 'http://127.0.0.1:1/' }, 'ForgeDenied', undefined],
  [403, { 'retry-after': '60' }, 'ForgeUnreachable', 60_000],
  [429, { 'retry-after': '7' }, 'ForgeUnreachable', 7000],
  [503, {}, 'ForgeUnreachable', undefined],
] as const)('takes the answer %i with %j for %s', async (code, headers, wanted, retryAfterMs) => {
  answer = { status: code, headers }
  const failed = await send('github').catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: wanted, retryAfterMs })
  expect(String(failed)).toContain(`the forge answers ${code}`)
  expect(String(failed)).not.toContain('tok-en')
  expect(calls).toHaveLength(1)
})

it('names no token when nobody answers', async () => {
  server.close()
  server.closeAllConnections()
  const failed = await send('github').catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: 'ForgeUnreachable' })
  expect(String(failed)).not.toContain('tok-en')
})

it('knows no public address of Gitea', async () => {
  const sent = client.send({ forge: 'gitea', repository: 'os/fleet' }, status, 'tok-en', never)
  await expect(sent).rejects.toThrow('write apiUrl')
})
