import { sign as signBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { decodeBase64 } from './base64.ts'
import { isSignedBy } from './release-key.ts'
import type { ReleasedImage, ReleasePolicy } from './release-policy.ts'
import { rejected } from './release-verdict.ts'
import type { FoundSignature, Rejection, SignatureVerdict } from './release-verdict.ts'
import { verifySignedBlob } from './keyless-signer.ts'
import { parseStrictJson } from './strict-json.ts'

export type SimpleSigning = Extract<FoundSignature, { readonly kind: 'simple-signing' }>

export const SIMPLE_SIGNING_MAX_BYTES = 64 * 1024
const SIGNATURE_MAX_LENGTH = 4096

const SIGNATURE_TYPE = 'cosign container image signature'

const Payload = z.object({
  critical: z.object({
    identity: z.object({ 'docker-reference': z.string().max(1024) }),
    image: z.object({ 'docker-manifest-digest': z.string().max(1024) }),
    type: z.literal(SIGNATURE_TYPE),
  }),
})

/** A signature as `cosign sign --key` made it before bundles. The key is Ed25519 or ECDSA P-256. */
export function makeSimpleSigning({ repository, digest }: ReleasedImage, key: KeyObject): SimpleSigning {
  const identity = { 'docker-reference': repository }
  const image = { 'docker-manifest-digest': digest }
  const critical = { identity, image, type: SIGNATURE_TYPE }
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }), 'utf8')
  const signature = signBytes(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key)
  return {
    kind: 'simple-signing',
    payload,
    signature: signature.toString('base64'),
    certificate: null,
    logEntry: null,
  }
}

/** The form that cosign wrote before bundles: what is signed is a small text that names image and repository. */
export function verifySimpleSigning(
  found: SimpleSigning,
  image: ReleasedImage,
  policy: ReleasePolicy,
): SignatureVerdict {
  const { length } = found.payload
  if (length > SIMPLE_SIGNING_MAX_BYTES) {
    return rejected({ kind: 'TooLarge', bytes: length, maxBytes: SIMPLE_SIGNING_MAX_BYTES })
  }
  const signature = found.signature.length > SIGNATURE_MAX_LENGTH ? null : decodeBase64(found.signature)
  if (signature === null) return rejected({ kind: 'Malformed', detail: 'the signature is not base64' })
  const signer = signerOf(found, signature, policy)
  if (signer.kind === 'rejected') return signer
  const rejection = rejectionOf(found.payload, image)
  return rejection === null ? signer : rejected(rejection)
}

function signerOf(
  found: SimpleSigning,
  signature: Buffer,
  { keys, signers }: ReleasePolicy,
): SignatureVerdict {
  const key = keys.find((each) => isSignedBy(each, found.payload, signature))
  if (key !== undefined) return { kind: 'verified', by: `key ${key.name}` }
  if (found.certificate === null || signers.length === 0) return rejected({ kind: 'AnotherKey' })
  return verifySignedBlob({ ...found, certificate: found.certificate }, signature, signers)
}

function rejectionOf(payload: Uint8Array, { digest, repository }: ReleasedImage): Rejection | null {
  const parsed = Payload.safeParse(parseStrictJson(payload))
  if (!parsed.success) return { kind: 'Malformed', detail: 'what is signed is no "simple signing" of cosign' }
  const { identity, image } = parsed.data.critical
  const signedDigest = image['docker-manifest-digest']
  if (signedDigest !== digest) return { kind: 'AnotherDigest', digest: signedDigest }
  const signedRepository = repositoryOf(identity['docker-reference'])
  return signedRepository === repository ? null : { kind: 'AnotherRepository', repository: signedRepository }
}

/** Without tag and digest, and with the one name of Docker's registry that we have. */
function repositoryOf(reference: string): string {
  const name = reference.replace(/@.*$/s, '').replace(/:[^:/]*$/, '')
  return name.replace(/^index\.docker\.io\//, 'docker.io/')
}
