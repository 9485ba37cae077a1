import * as z from 'zod'

const mediaTypes = {
  indexes: [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ],
  manifests: [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ],
}

export const acceptedManifests = [...mediaTypes.indexes, ...mediaTypes.manifests].join(', ')
export const versionKey = 'org.opencontainers.image.version'

const digest = z.string().regex(/^sha256:[a-f0-9]{64}$/)
const annotations = z.record(z.string(), z.string()).nullish()

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z
    .array(z.object({ digest, platform: z.object({ architecture: z.string(), os: z.string() }).nullish() }))
    .max(200),
  annotations,
})

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  config: z.object({ digest }),
  layers: z.array(z.unknown()),
  annotations,
})

export const configSchema = z.object({
  architecture: z.string().regex(/^[a-z0-9]{1,32}$/),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
})

export type Manifest =
  | {
      readonly kind: 'index'
      readonly manifests: Readonly<Record<string, string>>
      readonly version: string | null
    }
  | { readonly kind: 'image'; readonly config: string; readonly version: string | null }

/** What the bytes are is read from the bytes: a content type is only what a server claims. Throws on others. */
export function readManifest(text: string): Manifest {
  const value: unknown = JSON.parse(text)
  const index = indexSchema.safeParse(value)
  if (!index.success) {
    const image = manifestSchema.parse(value)
    return { kind: 'image', config: image.config.digest, version: image.annotations?.[versionKey] ?? null }
  }
  if (manifestSchema.safeParse(value).success) throw new Error('both an index and a manifest')
  const manifests: Record<string, string> = {}
  for (const { digest: child, platform } of index.data.manifests) {
    // Attestations are listed as architecture "unknown". The first of several variants is the baseline.
    if (platform?.os !== 'linux' || !/^[a-z0-9]{1,32}$/.test(platform.architecture)) continue
    if (platform.architecture !== 'unknown') manifests[platform.architecture] ??= child
  }
  return { kind: 'index', manifests, version: index.data.annotations?.[versionKey] ?? null }
}
