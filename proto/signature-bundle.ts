import * as z from 'zod'
import { decodeBase64 } from './base64.ts'
import { preAuthenticationEncoding } from './envelope.ts'
import { verifyBundle } from './keyless-signer.ts'
import { isSignedBy } from './release-key.ts'
import type { ReleasedImage, ReleasePolicy } from './release-policy.ts'
import { rejected } from './release-verdict.ts'
import type { Rejection, SignatureVerdict } from './release-verdict.ts'
import { parseStrictJson } from './strict-json.ts'

export const BUNDLE_MAX_BYTES = 256 * 1024
const SUBJECTS_MAX = 64
const STATEMENT_TYPE = 'application/vnd.in-toto+json'
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])$/
/** An attestation by the same key, say of the packages inside, must not pass for a release. */
const RELEASE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'

const Bundle = z.object({
  mediaType: z.string().regex(BUNDLE_TYPE),
  verificationMaterial: z.record(z.string(), z.unknown()),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.literal(STATEMENT_TYPE),
    // Of several, some readers take the first and some any.
    signatures: z.array(z.object({ sig: z.string().max(4096) })).length(1),
  }),
})

const Statement = z.object({
  _type: z.enum(['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1']),
  subject: z
    .array(z.object({ digest: z.record(z.string().max(64), z.string().max(256)) }))
    .min(1)
    .max(SUBJECTS_MAX),
  predicateType: z.string().max(1024),
})

/**
 * The form of cosign 3. Its statement names the digest and no repository: that these bytes are a release holds
 * wherever they lie, and what binds them to a repository is who names both, git or the plan.
 */
export function verifySignatureBundle(
  bytes: Uint8Array,
  { digest }: ReleasedImage,
  policy: ReleasePolicy,
): SignatureVerdict {
  if (bytes.length > BUNDLE_MAX_BYTES) {
    return rejected({ kind: 'TooLarge', bytes: bytes.length, maxBytes: BUNDLE_MAX_BYTES })
  }
  const json = parseStrictJson(bytes)
  const bundle = Bundle.safeParse(json)
  if (!bundle.success) {
    return rejected({ kind: 'Malformed', detail: 'no sigstore bundle with one signed statement in it' })
  }
  const { payload: text, payloadType, signatures } = bundle.data.dsseEnvelope
  const payload = decodeBase64(text)
  const signature = decodeBase64(signatures[0]?.sig ?? '')
  if (payload === null || signature === null) {
    return rejected({ kind: 'Malformed', detail: 'its statement or its signature is not base64' })
  }
  const encoded = preAuthenticationEncoding(payloadType, payload)
  const key = policy.keys.find((each) => isSignedBy(each, encoded, signature))
  const signer = key === undefined ? verifyKeyless(bundle.data, json, policy) : verifiedBy(`key ${key.name}`)
  if (signer.kind === 'rejected') return signer
  const rejection = rejectionOf(payload, digest)
  return rejection === null ? signer : rejected(rejection)
}

function verifiedBy(by: string): SignatureVerdict {
  return { kind: 'verified', by }
}

/** A bundle by a key has only a hint at it, and a certificate is what the log and the authority speak of. */
function verifyKeyless(
  { verificationMaterial }: z.infer<typeof Bundle>,
  json: unknown,
  { signers }: ReleasePolicy,
): SignatureVerdict {
  const isByKey = Object.hasOwn(verificationMaterial, 'publicKey')
  return isByKey || signers.length === 0 ? rejected({ kind: 'AnotherKey' }) : verifyBundle(json, signers)
}

function rejectionOf(payload: Buffer, digest: string): Rejection | null {
  const parsed = Statement.safeParse(parseStrictJson(payload))
  if (!parsed.success) return { kind: 'Malformed', detail: 'what is signed is no in-toto statement' }
  const { predicateType, subject } = parsed.data
  if (predicateType !== RELEASE_PREDICATE) return { kind: 'NoRelease', about: predicateType }
  const digests = subject.flatMap((each) =>
    Object.hasOwn(each.digest, 'sha256') ? [each.digest['sha256']] : [],
  )
  if (digests.some((hex) => `sha256:${hex}` === digest)) return null
  return { kind: 'AnotherDigest', digest: `sha256:${digests[0] ?? ''}` }
}
