import { createHash } from 'node:crypto'
import { formatImageReference, splitRepository } from '../desired-state/image-reference.ts'
import type { ImageReference } from '../desired-state/types.ts'
import { ControllerError } from '../errors.ts'
import { findCredentials } from './credentials.ts'
import { acceptedManifests, configSchema, readManifest, versionKey } from './manifest.ts'
import { answerChallenge, retryAfterMs } from './registry-auth.ts'
import { createRegistryHttp } from './registry-http.ts'
import type { RegistryHttp, Reply } from './registry-http.ts'

export type ResolvedImage = {
  readonly repository: string
  readonly tag: string | null
  /** Of the index, or of the manifest where there is no index. */
  readonly digest: string
  readonly version: string | null
  /** Architecture, as in `amd64`, to the digest of its manifest. */
  readonly manifests: Readonly<Record<string, string>>
}

export type RegistryClientOptions = {
  readonly plainHttpHosts: readonly string[]
  /** See `defaultAuthFiles`; none means anonymous. */
  readonly authFiles?: readonly string[]
  /** PEM of further certificate authorities. */
  readonly ca?: string
}

export type RegistryClient = {
  resolve(image: ImageReference, signal: AbortSignal): Promise<ResolvedImage>
  close(): Promise<void>
}

const maxManifestBytes = 4 * 1024 * 1024

/** One resolution: its credentials are looked up, and a token fetched, at most once. */
type Session = {
  readonly http: RegistryHttp
  readonly authFiles: readonly string[]
  readonly host: string
  readonly path: string
  readonly name: string
  readonly signal: AbortSignal
  authorization: string | null
}

export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const http = createRegistryHttp({ plainHttpHosts: options.plainHttpHosts, ca: options.ca })
  return {
    resolve: (image, signal) => {
      const place = splitRepository(image.repository)
      const name = formatImageReference(image)
      const authFiles = options.authFiles ?? []
      return resolveImage(image, { http, authFiles, ...place, name, signal, authorization: null })
    },
    close: () => http.close(),
  }
}

async function resolveImage(image: ImageReference, session: Session): Promise<ResolvedImage> {
  const { repository } = image
  const digest = image.kind === 'digest' ? image.digest : await digestOf(image.tag, session)
  const tag = image.kind === 'tag' ? image.tag : null
  const manifest = interpret(session, digest, await fetchVerified(session, 'manifests', digest), readManifest)
  if (manifest.kind === 'image') {
    const { architecture, version } = await describe(session, manifest.config)
    return {
      repository,
      tag,
      digest,
      version: manifest.version ?? version ?? tag,
      manifests: { [architecture]: digest },
    }
  }
  const firstChild = Object.values(manifest.manifests)[0]
  if (firstChild === undefined) throw invalid(session, `index ${digest} lists no image for linux`)
  const version = manifest.version ?? (await versionOf(session, firstChild)) ?? tag
  return { repository, tag, digest, version, manifests: manifest.manifests }
}

/** By HEAD, which registries count against no, or a wider, rate limit. */
async function digestOf(tag: string, session: Session): Promise<string> {
  const url = `manifests/${tag}`
  const claimed = (await ask(session, 'HEAD', url)).header('docker-content-digest')
  if (claimed !== undefined && /^sha256:[a-f0-9]{64}$/.test(claimed)) return claimed
  return digestOfBody((await ask(session, 'GET', url)).body)
}

/** The label of the first architecture: all of one index are meant to be one version. */
async function versionOf(session: Session, digest: string): Promise<string | null> {
  const manifest = interpret(session, digest, await fetchVerified(session, 'manifests', digest), readManifest)
  if (manifest.kind === 'index') throw invalid(session, `index ${digest} lies within an index`)
  return manifest.version ?? (await describe(session, manifest.config)).version
}

async function describe(
  session: Session,
  digest: string,
): Promise<{ architecture: string; version: string | null }> {
  const text = await fetchVerified(session, 'blobs', digest)
  const config = interpret(session, digest, text, (json) => configSchema.parse(JSON.parse(json)))
  return { architecture: config.architecture, version: config.config?.Labels?.[versionKey] ?? null }
}

async function fetchVerified(session: Session, kind: 'manifests' | 'blobs', digest: string): Promise<string> {
  const { body } = await ask(session, 'GET', `${kind}/${digest}`)
  const actual = digestOfBody(body)
  if (actual === digest) return body.toString('utf8')
  throw invalid(
    session,
    `the registry gave content with digest ${actual} for ${digest}; push the image again`,
  )
}

function interpret<T>(session: Session, digest: string, text: string, read: (text: string) => T): T {
  try {
    return read(text)
  } catch (error) {
    const message = `${digest} is no OCI or Docker image; push the image again`
    throw new ControllerError('ImageInvalid', `resolving ${session.name}: ${message}`, { cause: error })
  }
}

async function ask(session: Session, method: 'GET' | 'HEAD', path: string): Promise<Reply> {
  const first = await send(session, method, path)
  if (first.status !== 401) return accept(session, first)
  const { http, host, path: repositoryPath, signal } = session
  const credentials = await findCredentials(session.authFiles, host, repositoryPath)
  session.authorization = await answerChallenge(first, {
    http,
    credentials,
    host,
    path: repositoryPath,
    signal,
  })
  return accept(session, session.authorization === null ? first : await send(session, method, path))
}

function send(
  { http, host, path: repository, authorization, signal }: Session,
  method: 'GET' | 'HEAD',
  path: string,
) {
  const url = `${http.baseUrlOf(host)}${repository}/${path}`
  const headers = {
    accept: `${acceptedManifests}, */*;q=0.1`,
    ...(authorization === null ? {} : { authorization }),
  }
  return http.send({ method, url, headers, maxBodyBytes: maxManifestBytes, signal })
}

function accept(session: Session, reply: Reply): Reply {
  const { status } = reply
  if (status === 200) return reply
  const attempt = `resolving ${session.name}: ${session.host} answers ${status}`
  if (status === 401 || status === 403) {
    throw new ControllerError(
      'RegistryDenied',
      `${attempt}; log in with "podman login ${session.host}" or grant read access`,
    )
  }
  if (status === 404)
    throw new ControllerError(
      'ImageNotFound',
      `${attempt}, there is no such image; push it or correct the reference`,
    )
  const options = { retryAfterMs: retryAfterMs(reply) }
  if (status === 429)
    throw new ControllerError(
      'RegistryRateLimited',
      `${attempt}, too many requests; log in or poll less often`,
      options,
    )
  throw new ControllerError('RegistryUnreachable', `${attempt}; check the registry`, options)
}

function invalid(session: Session, found: string): ControllerError {
  return new ControllerError('ImageInvalid', `resolving ${session.name}: ${found}`)
}

function digestOfBody(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`
}
