import * as z from 'zod'
import { readManifest } from './manifest.ts'
import type { Session } from './registry-session.ts'
import { fetchVerified, interpret, invalid } from './verified-content.ts'

/** What an image of one architecture consists of. */
export type ImagePlatform = {
  readonly architecture: string
  /** Of its manifest. */
  readonly manifest: string
  /** As the registry has them, compressed, lowest first. */
  readonly layers: readonly string[]
  /** Of the same, unpacked: equal wherever the layer was packed. */
  readonly diffIds: readonly string[]
  /** What its builder says it began with; empty: nothing. */
  readonly base: string
  readonly baseName: string
}

const PLATFORMS_MAX = 8
const LAYERS_MAX = 256
const NAME_MAX = 300
const BASE_DIGEST = 'org.opencontainers.image.base.digest'
const BASE_NAME = 'org.opencontainers.image.base.name'

const Digest = z.string().regex(/^sha256:[a-f0-9]{64}$/)
const Notes = z.record(z.string(), z.string()).nullish()

const Index = z.object({ annotations: Notes })
const Manifest = z.object({
  config: z.object({ digest: Digest }),
  layers: z.array(z.object({ digest: Digest })).max(LAYERS_MAX),
  annotations: Notes,
})
const Config = z.object({
  architecture: z.string().regex(/^[a-z0-9]{1,32}$/),
  config: z.object({ Labels: Notes }).nullish(),
  rootfs: z.object({ diff_ids: z.array(Digest).max(LAYERS_MAX) }),
})

/** Of every architecture of an image, so far as hosts could run it. */
export async function findContents(session: Session, digest: string): Promise<readonly ImagePlatform[]> {
  const text = await fetchVerified(session, 'manifests', digest)
  const top = interpret(session, digest, text, readManifest)
  if (top.kind === 'image') return [await platformOf(session, digest, { text, notes: {} })]
  const manifests = [...new Set(Object.values(top.manifests))]
  if (manifests.length > PLATFORMS_MAX) {
    throw invalid(session, `${digest} is for more than ${PLATFORMS_MAX} architectures`)
  }
  const notes = interpret(session, digest, text, (json) => Index.parse(JSON.parse(json)).annotations ?? {})
  const platforms: ImagePlatform[] = []
  for (const manifest of manifests) {
    const child = await fetchVerified(session, 'manifests', manifest)
    platforms.push(await platformOf(session, manifest, { text: child, notes }))
  }
  return platforms
}

/** `notes` are those of the index, for whoever writes them only there. */
async function platformOf(
  session: Session,
  digest: string,
  { text, notes }: { readonly text: string; readonly notes: Readonly<Record<string, string>> },
): Promise<ImagePlatform> {
  const manifest = interpret(session, digest, text, (json) => Manifest.parse(JSON.parse(json)))
  const { digest: named } = manifest.config
  const configText = await fetchVerified(session, 'blobs', named)
  const config = interpret(session, named, configText, (json) => Config.parse(JSON.parse(json)))
  const said = { ...config.config?.Labels, ...notes, ...manifest.annotations }
  const base = Digest.safeParse(said[BASE_DIGEST])
  return {
    architecture: config.architecture,
    manifest: digest,
    layers: manifest.layers.map((layer) => layer.digest),
    diffIds: config.rootfs.diff_ids,
    base: base.success ? base.data : '',
    baseName: (said[BASE_NAME] ?? '').replaceAll(/\p{Cc}/gu, ' ').slice(0, NAME_MAX),
  }
}
