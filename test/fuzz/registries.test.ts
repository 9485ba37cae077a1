import { createHash, createHmac } from 'node:crypto'
import * as z from 'zod'
import { ControllerError } from '../../controller/errors.ts'
import type { HttpRequest } from '../../controller/http.ts'
import { configSchema, readManifest } from '../../controller/images/manifest.ts'
import { answerChallenge } from '../../controller/images/registry-auth.ts'
import type { RegistryHttp, Reply } from '../../controller/images/registry-http.ts'
import type { Session } from '../../controller/images/registry-session.ts'
import { listTags } from '../../controller/images/registry-tags.ts'
import { findSignatures } from '../../controller/images/signatures.ts'
import { forges, pushOf } from '../../controller/webhooks/forges.ts'
import { isFromRegistry, pushedRepositories } from '../../controller/webhooks/registry-notification.ts'
import { fuzz, must, refusedAs } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const signal = new AbortController().signal

function replyOf(url: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, url, header: (name) => headers[name], body }
}

/** A registry in the same process: what matters is what it says, and it says it twenty thousand times. */
function sessionWith(answer: (url: string) => Reply): Session {
  const http: RegistryHttp = {
    send: ({ url }) => Promise.resolve(answer(url)),
    baseUrlOf: (host) => `https://${host}/v2/`,
    close: () => Promise.resolve(),
  }
  return { http, authFiles: [], host: 'r.example', path: 'os/edge', name: 'os', signal, authorization: null }
}

fuzz('a manifest or index', () => ({
  seeds: [
    bytesOf({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { digest, size: 3 },
      layers: [{ digest, size: 4 }],
      annotations: { 'org.opencontainers.image.version': '1.0' },
    }),
    bytesOf({
      schemaVersion: 2,
      manifests: [
        { digest, platform: { architecture: 'amd64', os: 'linux' } },
        { digest, platform: { architecture: 'unknown', os: 'unknown' } },
      ],
    }),
  ],
  // The caller turns each into a refusal that names the image.
  take: (input): Promise<Taken> =>
    refusedAs([SyntaxError, z.ZodError, Error], () => {
      const manifest = readManifest(input.toString('utf8'))
      const named = manifest.kind === 'image' ? [manifest.config] : Object.values(manifest.manifests)
      must(
        named.every((each) => /^sha256:[a-f0-9]{64}$/.test(each)),
        'what is no digest was taken for one',
      )
      return 'accepted'
    }),
}))

fuzz('the configuration of an image', () => ({
  seeds: [
    bytesOf({ architecture: 'amd64', os: 'linux', config: { Labels: { a: 'b' } } }),
    bytesOf({ architecture: 's390x' }),
  ],
  take: (input): Promise<Taken> =>
    refusedAs([SyntaxError], () =>
      configSchema.safeParse(JSON.parse(input.toString('utf8'))).success ? 'accepted' : 'refused',
    ),
}))

const LAYER = 'application/vnd.dev.cosign.simplesigning.v1+json'
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

fuzz('what a registry says lies beside an image', () => {
  const payload = Buffer.from('{}')
  const blob = `sha256:${createHash('sha256').update(payload).digest('hex')}`
  const annotations = { 'dev.cosignproject.cosign/signature': 'AA==' }
  const layer = { mediaType: LAYER, digest: blob, size: payload.length, annotations }
  const bundle = { mediaType: BUNDLE, digest: blob, size: payload.length }
  return {
    seeds: [
      bytesOf({ layers: [layer, bundle], manifests: [{ digest: blob, artifactType: BUNDLE }] }),
      bytesOf({ layers: [bundle], manifests: [{ digest: blob }] }),
    ],
    take: (input): Promise<Taken> =>
      refusedAs([ControllerError], async (): Promise<Taken> => {
        const answer = (url: string): Reply => replyOf(url, url.includes('/blobs/') ? payload : input)
        const found = await findSignatures(sessionWith(answer), digest)
        must(found.length <= 32, 'more signatures were taken than are looked at')
        const isWhole = found.every((each) => each.kind !== 'bundle' || payload.equals(each.bytes))
        must(isWhole, 'a blob was taken that its digest does not name')
        return 'accepted'
      }),
  }
})

fuzz('a list of tags', () => ({
  seeds: [bytesOf({ name: 'os/edge', tags: ['1.0', 'latest'] }), bytesOf({ name: 'os/edge', tags: null })],
  take: (input): Promise<Taken> =>
    refusedAs([ControllerError], async (): Promise<Taken> => {
      // Part of the answer comes as its header: where the list goes on.
      const link = input.toString('latin1').slice(0, 60)
      const first = `</v2/os/edge/tags/list?n=2&last=${link}>; rel="next"`
      let asked = 0
      const answer = (url: string): Reply => {
        asked += 1
        return replyOf(url, input, asked % 3 === 0 ? {} : { link: first })
      }
      await listTags(sessionWith(answer))
      must(asked <= 200, 'a list without an end was followed')
      return 'accepted'
    }),
}))

fuzz('the question of a registry who we are', () => {
  const realm = 'Bearer realm="https://auth.r.example/token",service="r.example",scope="repository:os:pull"'
  return {
    seeds: [Buffer.from(realm), Buffer.from('Basic realm="r.example"')],
    take: (input): Promise<Taken> =>
      refusedAs([ControllerError], async (): Promise<Taken> => {
        const text = input.toString('latin1')
        const refused: Reply = { ...replyOf('https://r.example/', input), status: 401, header: () => text }
        const { http } = sessionWith((url) => replyOf(url, bytesOf({ token: 'abc' })))
        const credentials = { kind: 'basic', username: 'kim', password: 'secret' } as const
        const answer = await answerChallenge(refused, {
          http,
          credentials,
          host: 'r.example',
          path: 'os',
          signal,
        })
        return answer === null ? 'refused' : 'accepted'
      }),
  }
})

const secret = 'a secret of enough characters'
const address = 'https://f.example/org/fleet.git'
const push = bytesOf({
  ref: 'refs/heads/main',
  repository: { clone_url: address, html_url: 'https://f.example/org/fleet' },
  project: { git_http_url: address },
})

fuzz('a push that a forge tells of', () => ({
  seeds: [push],
  take: (body): Taken => {
    const request = requestOf(body, {
      'content-type': body.length % 2 === 0 ? 'application/json' : 'text/plain',
    })
    const told = pushOf(request)
    must(told === null || told.urls.every((url) => url.length <= 2000), 'an address without an end was taken')
    return told === null ? 'refused' : 'accepted'
  },
}))

fuzz('whether a delivery is genuine', () => {
  const body = push
  const hmac = createHmac('sha256', secret).update(body).digest('hex')
  return {
    seeds: [bytesOf({ body: body.toString('base64'), hmac, token: secret })],
    take: (input): Promise<Taken> =>
      refusedAs([SyntaxError, z.ZodError], () => {
        const Delivery = z.object({ body: z.string(), hmac: z.string(), token: z.string() })
        const delivery = Delivery.parse(JSON.parse(input.toString('utf8')))
        const sent = Buffer.from(delivery.body, 'base64')
        const headers = {
          'x-hub-signature-256': `sha256=${delivery.hmac}`,
          'x-gitea-signature': delivery.hmac,
          'x-forgejo-signature': delivery.hmac,
        }
        const token = { 'x-gitlab-token': delivery.token, authorization: `Bearer ${delivery.token}` }
        const request = requestOf(sent, { ...headers, ...token })
        const signed = [forges.github, forges.gitea, forges.forgejo].filter((forge) =>
          forge.isGenuine(request, secret),
        )
        must(
          signed.length === 0 || (sent.equals(body) && delivery.hmac === hmac),
          'a changed delivery is genuine',
        )
        const known = forges.gitlab.isGenuine(request, secret) || isFromRegistry(request, secret)
        must(!known || delivery.token.trim() === secret, 'another token is genuine')
        return signed.length === 3 && known ? 'accepted' : 'refused'
      }),
  }
})

fuzz('what a registry tells of pushes', () => ({
  seeds: [bytesOf({ events: [{ action: 'push', target: { repository: 'os/edge' } }, { action: 'pull' }] })],
  take: (body): Taken => (pushedRepositories(requestOf(body, {})) === null ? 'refused' : 'accepted'),
}))

function requestOf(body: Buffer, headers: Readonly<Record<string, string>>): HttpRequest {
  return { body, header: (name) => headers[name] }
}
