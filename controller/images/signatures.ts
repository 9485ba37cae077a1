import * as z from 'zod'
import type { FoundSignature } from '../../proto/release-verdict.ts'
import { SIGNATURES_MAX } from '../../proto/release-signature.ts'
import { BUNDLE_MAX_BYTES } from '../../proto/signature-bundle.ts'
import { digestOfBody, find } from './registry-session.ts'
import type { Session } from './registry-session.ts'

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json'
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle[.+]/
/** An index of referrers also lists what is no signature: lists of packages, test results. */
const REFERRERS_MAX = 256
const INDEX_MAX_BYTES = 512 * 1024
const MANIFEST_MAX_BYTES = 64 * 1024

const Digest = z.string().regex(/^sha256:[a-f0-9]{64}$/)

const Layer = z.object({
  mediaType: z.string(),
  digest: Digest,
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
})
type Layer = z.infer<typeof Layer>

const Manifest = z.object({ layers: z.array(Layer).max(SIGNATURES_MAX) })

const Referrers = z.object({
  manifests: z
    .array(z.object({ digest: Digest, artifactType: z.string().nullish() }))
    .max(REFERRERS_MAX)
    .nullable(),
})

/**
 * What lies beside an image in cosign's two forms: below the tag `sha256-….sig`, and as referrers, by the API or
 * below the tag `sha256-…` where a registry has no such API. What cannot be read is left out, so that a wreck beside
 * a good signature does no harm; a registry that does not answer is an error.
 */
export async function findSignatures(session: Session, digest: string): Promise<readonly FoundSignature[]> {
  const tag = digest.replace(':', '-')
  const found: FoundSignature[] = []
  const classic = await read(session, `manifests/${tag}.sig`, Manifest, MANIFEST_MAX_BYTES)
  for (const layer of classic?.layers ?? []) {
    if (layer.mediaType === SIMPLE_SIGNING) found.push(...(await simpleSigning(session, layer)))
  }
  for (const referrer of await referrersOf(session, digest, tag)) {
    if (found.length >= SIGNATURES_MAX) break
    const manifest = await readByDigest(session, referrer)
    for (const layer of manifest?.layers ?? []) {
      if (BUNDLE.test(layer.mediaType)) found.push(...(await bundle(session, layer)))
    }
  }
  return found.slice(0, SIGNATURES_MAX)
}

/** Digests of manifests that may hold a bundle. */
async function referrersOf(session: Session, digest: string, tag: string): Promise<readonly string[]> {
  const listed = await read(session, `referrers/${digest}`, Referrers, INDEX_MAX_BYTES)
  const tagged = await read(session, `manifests/${tag}`, Referrers, INDEX_MAX_BYTES)
  const manifests = [...(listed?.manifests ?? []), ...(tagged?.manifests ?? [])]
  const maybe = manifests.filter(({ artifactType }) => mayBeBundle(artifactType ?? ''))
  return [...new Set(maybe.map((manifest) => manifest.digest))].slice(0, SIGNATURES_MAX)
}

/** Where a registry fills in the type, it gives that of the empty configuration: only another one says no. */
function mayBeBundle(artifactType: string): boolean {
  const isUnknown = artifactType === '' || artifactType === 'application/vnd.oci.empty.v1+json'
  return isUnknown || BUNDLE.test(artifactType)
}

async function simpleSigning(session: Session, layer: Layer): Promise<readonly FoundSignature[]> {
  const { annotations } = layer
  const signature = annotations?.['dev.cosignproject.cosign/signature']
  if (signature === undefined) return []
  const payload = await blob(session, layer)
  if (payload === null || !Buffer.isBuffer(payload)) return payload === null ? [] : [payload]
  const certificate = annotations?.['dev.sigstore.cosign/certificate'] ?? null
  const logEntry = annotations?.['dev.sigstore.cosign/bundle'] ?? null
  return [{ kind: 'simple-signing', payload, signature, certificate, logEntry }]
}

async function bundle(session: Session, layer: Layer): Promise<readonly FoundSignature[]> {
  const bytes = await blob(session, layer)
  if (bytes === null) return []
  return [Buffer.isBuffer(bytes) ? { kind: 'bundle', bytes } : bytes]
}

type Oversize = Extract<FoundSignature, { readonly kind: 'oversize' }>

/** Null: it is not there, or is not what its digest says. */
async function blob(session: Session, { digest, size }: Layer): Promise<Buffer | Oversize | null> {
  if (size > BUNDLE_MAX_BYTES) return { kind: 'oversize', bytes: size }
  const body = await find(session, `blobs/${digest}`, size)
  return body !== null && digestOfBody(body) === digest ? body : null
}

async function readByDigest(session: Session, digest: string): Promise<z.infer<typeof Manifest> | null> {
  const body = await find(session, `manifests/${digest}`, MANIFEST_MAX_BYTES)
  return body === null || digestOfBody(body) !== digest ? null : parse(body, Manifest)
}

async function read<T>(
  session: Session,
  path: string,
  schema: z.ZodType<T>,
  maxBytes: number,
): Promise<T | null> {
  const body = await find(session, path, maxBytes)
  return body === null ? null : parse(body, schema)
}

function parse<T>(body: Buffer, schema: z.ZodType<T>): T | null {
  try {
    const parsed = schema.safeParse(JSON.parse(body.toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
