import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRegistryClient } from './registry-client.ts'
import type { RegistryClientOptions } from './registry-client.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

const never = new AbortController().signal
const servers: Server[] = []
let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-registry-'))
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(dir, { recursive: true, force: true })
})

async function serve(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => answer(request, response, body))
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function resolve(
  host: string,
  options: Partial<RegistryClientOptions> & { tag?: string; digest?: string } = {},
) {
  const { tag = 'stable', digest, ...rest } = options
  const client = createRegistryClient({ plainHttpHosts: [host], ...rest })
  const repository = `${host}/os/edge`
  const image =
    digest === undefined
      ? ({ kind: 'tag', repository, tag, minimumAgeMs: 0 } as const)
      : ({ kind: 'digest', repository, digest } as const)
  try {
    return await client.resolve(image, never)
  } finally {
    await client.close()
  }
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const config = JSON.stringify({
  architecture: 'arm64',
  os: 'linux',
  config: { Labels: { 'org.opencontainers.image.version': '42.1' } },
})
const manifest = JSON.stringify({ schemaVersion: 2, config: { digest: digestOf(config) }, layers: [] })
const index = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    { digest: digestOf(manifest), platform: { architecture: 'arm64', os: 'linux' } },
    { digest: digestOf('other'), platform: { architecture: 'amd64', os: 'linux' } },
    { digest: digestOf('attestation'), platform: { architecture: 'unknown', os: 'unknown' } },
  ],
})

/** A registry of one image, whose tag `stable` is the text given. */
function image(text: string): Answer {
  const contents = new Map([text, manifest, config].map((each) => [digestOf(each), each]))
  return (request, response) => {
    const reference = request.url?.split('/').at(-1) ?? ''
    const found = reference === 'stable' ? text : contents.get(reference)
    if (found === undefined) return void response.writeHead(404).end()
    response
      .writeHead(200, { 'docker-content-digest': digestOf(found) })
      .end(request.method === 'HEAD' ? '' : found)
  }
}

test('an index gives a digest for each architecture, and the version its images are labelled with', async () => {
  const host = await serve(image(index))
  expect(await resolve(host)).toEqual({
    repository: `${host}/os/edge`,
    tag: 'stable',
    digest: digestOf(index),
    version: '42.1',
    manifests: { arm64: digestOf(manifest), amd64: digestOf('other') },
  })
})

test('a tag is looked up by HEAD, and a registry that names no digest then is asked for the content', async () => {
  const methods: string[] = []
  const answer = image(manifest)
  const host = await serve((request, response, body) => {
    methods.push(`${request.method} ${request.url?.split('/').at(-2)}`)
    const plain = response.writeHead.bind(response)
    response.writeHead = ((status: number) => plain(status)) as typeof response.writeHead
    answer(request, response, body)
  })
  expect((await resolve(host)).digest).toBe(digestOf(manifest))
  expect(methods).toEqual(['HEAD manifests', 'GET manifests', 'GET manifests', 'GET blobs'])
})

/** Asks for a bearer token, which `tokens` grants, and then answers like `answer`. */
async function guarded(answer: Answer, tokens: Answer): Promise<string> {
  const realm = await serve(tokens)
  const host = await serve((request, response, body) => {
    if (request.headers.authorization === 'Bearer granted') return answer(request, response, body)
    const challenge = `Bearer realm="http://${realm}/token",service="reg",scope="repository:os/edge:pull,push"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  realms.set(host, realm)
  return host
}
const realms = new Map<string, string>()
const plain = (host: string) => ({ plainHttpHosts: [host, realms.get(host) ?? ''] })

async function loginFile(auths: Readonly<Record<string, unknown>>, more = {}): Promise<readonly string[]> {
  const file = join(dir, 'auth.json')
  await writeFile(file, JSON.stringify({ auths, ...more }))
  return [join(dir, 'absent.json'), file]
}
const auth = Buffer.from('me:se:cret').toString('base64')

test('a bearer token is asked for once, for pulling only, with the most specific login', async () => {
  const asked: string[] = []
  const host = await guarded(image(manifest), (request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`)
    response.end(JSON.stringify({ token: 'granted' }))
  })
  const wrong = Buffer.from('other:x').toString('base64')
  const authFiles = await loginFile({ [host]: { auth: wrong }, [`${host}/os`]: { auth } })
  expect((await resolve(host, { ...plain(host), authFiles })).version).toBe('42.1')
  expect(asked).toEqual([`/token?scope=repository%3Aos%2Fedge%3Apull&service=reg Basic ${auth}`])
})

test('an identity token is exchanged for an access token', async () => {
  const bodies: string[] = []
  const host = await guarded(image(manifest), (_, response, body) => {
    bodies.push(body)
    response.end(JSON.stringify({ access_token: 'granted' }))
  })
  const authFiles = await loginFile({ [host]: { identitytoken: 'long-lived' } })
  await resolve(host, { ...plain(host), authFiles })
  expect(new URLSearchParams(bodies[0]).get('refresh_token')).toBe('long-lived')
})

test('without a login a token is asked for anonymously; one that is refused, or of no use, is a denial', async () => {
  const granted = await guarded(image(manifest), (request, response) => {
    response.end(JSON.stringify({ token: request.headers.authorization ?? 'granted' }))
  })
  expect((await resolve(granted, plain(granted))).manifests).toEqual({ arm64: digestOf(manifest) })
  const refused = await guarded(image(manifest), (_, response) => void response.writeHead(403).end())
  await expect(resolve(refused, plain(refused))).rejects.toMatchObject({ code: 'RegistryDenied' })
  const useless = await guarded(image(manifest), (_, response) => void response.end('{"token":"a\\nb"}'))
  await expect(resolve(useless, plain(useless))).rejects.toMatchObject({ code: 'RegistryDenied' })
  const busy = await guarded(
    image(manifest),
    (_, response) => void response.writeHead(429, { 'retry-after': '7' }).end(),
  )
  await expect(resolve(busy, plain(busy))).rejects.toMatchObject({
    code: 'RegistryRateLimited',
    retryAfterMs: 7000,
  })
})

test('a token server on plain http that is not listed is never asked', async () => {
  let asked = false
  const host = await guarded(image(manifest), () => (asked = true))
  await expect(resolve(host)).rejects.toMatchObject({ code: 'RegistryDenied' })
  expect(asked).toBe(false)
})

test('a redirect to another server does not carry the login along', async () => {
  const seen: (string | undefined)[] = []
  const storage = await serve((request, response) => {
    seen.push(request.headers.authorization)
    response.end(config)
  })
  const answer = image(manifest)
  const host = await guarded(
    (request, response, body) => {
      if (!request.url?.includes('/blobs/')) return answer(request, response, body)
      response.writeHead(307, { location: `http://${storage}/blob` }).end()
    },
    (_, response) => void response.end('{"token":"granted"}'),
  )
  const { plainHttpHosts } = plain(host)
  expect((await resolve(host, { plainHttpHosts: [...plainHttpHosts, storage] })).version).toBe('42.1')
  expect(seen).toEqual([undefined])
  await expect(resolve(host, { plainHttpHosts })).rejects.toMatchObject({ code: 'RegistryDenied' })
})

test('redirects without end are given up', async () => {
  const host = await serve(
    (request, response) => void response.writeHead(302, { location: request.url ?? '' }).end(),
  )
  await expect(resolve(host)).rejects.toMatchObject({ code: 'RegistryUnreachable' })
})

test('content that is not what its digest says is refused', async () => {
  const host = await serve((_, response) => void response.end(manifest))
  await expect(resolve(host, { digest: digestOf('something else') })).rejects.toMatchObject({
    code: 'ImageInvalid',
    message: expect.stringContaining(digestOf(manifest)) as string,
  })
})

test('an answer without end is cut off', async () => {
  const host = await serve((_, response) => {
    const chunk = Buffer.alloc(65_536, ' ')
    const push = (): void => void (response.writable && response.write(chunk, () => setImmediate(push)))
    push()
  })
  await expect(resolve(host, { digest: digestOf('x') })).rejects.toMatchObject({ code: 'ImageInvalid' })
})

test.each([
  'no JSON',
  '{}',
  '{"schemaVersion":2,"manifests":[]}',
  manifest.replace('}', '},"manifests":[]'),
  '[]',
])('content that is no image is refused: %s', async (text) => {
  await expect(resolve(await serve(image(text)))).rejects.toMatchObject({ code: 'ImageInvalid' })
})

test('a host that is not listed is asked by https only', async () => {
  let asked = false
  const host = await serve((_, response) => {
    asked = true
    response.end()
  })
  await expect(resolve(host, { plainHttpHosts: [] })).rejects.toMatchObject({ code: 'RegistryUnreachable' })
  expect(asked).toBe(false)
})
