import { formatImageReference, splitRepository } from '../desired-state/image-reference.ts'
import type { ImageReference } from '../desired-state/types.ts'
import type { FoundSignature } from '../../proto/release-verdict.ts'
import { findContents } from './image-contents.ts'
import type { ImagePlatform } from './image-contents.ts'
import { configSchema, readManifest, versionKey } from './manifest.ts'
import { createRegistryHttp } from './registry-http.ts'
import { ask, digestOfBody } from './registry-session.ts'
import type { Session } from './registry-session.ts'
import { listTags } from './registry-tags.ts'
import { findSignatures } from './signatures.ts'
import { fetchVerified, interpret, invalid } from './verified-content.ts'

export type ResolvedImage = {
  readonly repository: string
  readonly tag: string | null
  /** Of the index, or of the manifest where there is no index. */
  readonly digest: string
  readonly version: string | null
  /** Architecture, as in `amd64`, to the digest of its manifest. */
  readonly manifests: Readonly<Record<string, string>>
}

/** What names one manifest. */
export type Pullable =
  Extract<ImageReference, { readonly kind: 'digest' }> | Extract<ImageReference, { readonly kind: 'tag' }>

export type RegistryClientOptions = {
  readonly plainHttpHosts: readonly string[]
  /** See `defaultAuthFiles`; none means anonymous. */
  readonly authFiles?: readonly string[]
  /** PEM of further certificate authorities. */
  readonly ca?: string
}

export type RegistryClient = {
  resolve(image: Pullable, signal: AbortSignal): Promise<ResolvedImage>
  digestOf(repository: string, tag: string, signal: AbortSignal): Promise<string>
  /** All of them, in the registry's order. */
  tags(repository: string, signal: AbortSignal): Promise<readonly string[]>
  /** What lies beside the image, unverified. */
  signatures(repository: string, digest: string, signal: AbortSignal): Promise<readonly FoundSignature[]>
  /** What it consists of, for every architecture. */
  contents(repository: string, digest: string, signal: AbortSignal): Promise<readonly ImagePlatform[]>
  close(): Promise<void>
}

export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const http = createRegistryHttp({ plainHttpHosts: options.plainHttpHosts, ca: options.ca })
  const { authFiles = [] } = options
  const session = (repository: string, name: string, signal: AbortSignal): Session => {
    return { http, authFiles, ...splitRepository(repository), name, signal, authorization: null }
  }
  return {
    resolve: (image, signal) =>
      resolveImage(image, session(image.repository, formatImageReference(image), signal)),
    digestOf: (repository, tag, signal) => digestOf(tag, session(repository, `${repository}:${tag}`, signal)),
    tags: (repository, signal) => listTags(session(repository, `the tags of ${repository}`, signal)),
    signatures: (repository, digest, signal) =>
      findSignatures(session(repository, `the signatures of ${repository}@${digest}`, signal), digest),
    contents: (repository, digest, signal) =>
      findContents(session(repository, `the contents of ${repository}@${digest}`, signal), digest),
    close: () => http.close(),
  }
}

async function resolveImage(image: Pullable, session: Session): Promise<ResolvedImage> {
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
