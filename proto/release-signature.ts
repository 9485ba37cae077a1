import type { ReleasedImage, ReleasePolicy } from './release-policy.ts'
import { rejected, unverifiedSentence } from './release-verdict.ts'
import type { FoundSignature, Rejection, ReleaseVerdict, SignatureVerdict } from './release-verdict.ts'
import { BUNDLE_MAX_BYTES, verifySignatureBundle } from './signature-bundle.ts'
import { verifySimpleSigning } from './simple-signing.ts'

/** More signatures beside one image than this are not looked at. */
export const SIGNATURES_MAX = 32

/**
 * Whether one of the signatures found beside an image is a release signature that the policy asks for. No I/O, and
 * never throws: what is found was written by whoever may push to the registry.
 */
export function verifyRelease(
  image: ReleasedImage,
  found: readonly FoundSignature[],
  policy: ReleasePolicy,
): ReleaseVerdict {
  let nearest: Rejection | null = null
  for (const signature of found.slice(0, SIGNATURES_MAX)) {
    const verdict = verifyOne(image, signature, policy)
    if (verdict.kind === 'verified') return verdict
    if (nearest === null || rankOf(verdict.rejection) > rankOf(nearest)) nearest = verdict.rejection
  }
  return { kind: 'unverified', rejection: nearest, message: unverifiedSentence(image, policy, nearest) }
}

function verifyOne(image: ReleasedImage, found: FoundSignature, policy: ReleasePolicy): SignatureVerdict {
  switch (found.kind) {
    case 'simple-signing':
      return verifySimpleSigning(found, image, policy)
    case 'bundle':
      return verifySignatureBundle(found.bytes, image, policy)
    case 'oversize':
      return rejected({ kind: 'TooLarge', bytes: found.bytes, maxBytes: BUNDLE_MAX_BYTES })
  }
}

const fromFarToNear: readonly Rejection['kind'][] = [
  'TooLarge',
  'Malformed',
  'AnotherKey',
  'AnotherSigner',
  'NoRelease',
  'AnotherDigest',
  'AnotherRepository',
]

function rankOf({ kind }: Rejection): number {
  return fromFarToNear.indexOf(kind)
}
