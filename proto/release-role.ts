import { keyIdOf } from './envelope.ts'
import {
  PLAN_SIGNATURES_MAX_BYTES,
  sizeBytesOf,
  toFoundSignature,
  toPlanSignature,
} from './plan-signature.ts'
import type { PlanSignature } from './plan-signature.ts'
import type { ReleaseKey } from './release-key.ts'
import type { ReleasedImage } from './release-policy.ts'
import { verifyRelease } from './release-signature.ts'
import { rejectionSentence } from './release-verdict.ts'
import type { FoundSignature, Rejection } from './release-verdict.ts'
import { keysOf } from './trust-chain.ts'
import type { TrustBundle } from './trust-chain.ts'

/** The second key: whose signatures an image must have before a host takes it, whoever else wants it. */
export type ReleaseRole = {
  /** Named by the begin of their ids. At least `threshold`. */
  readonly keys: readonly ReleaseKey[]
  /** So many distinct keys must have signed. */
  readonly threshold: number
}

export type RoleVerdict =
  /** No more signatures than are needed, each as small as can be. */
  | { readonly kind: 'signed'; readonly signatures: readonly PlanSignature[] }
  | { readonly kind: 'unsigned'; readonly message: string }

/** Null: the bundle names no release key, and so asks for no signature. */
export function releaseRoleOf(bundle: TrustBundle): ReleaseRole | null {
  const keys = keysOf(bundle, 'release').map((key) => ({ name: keyIdOf(key).slice(0, 12), key }))
  return keys.length === 0 ? null : { keys, threshold: bundle.content.roles.release.threshold }
}

/** No I/O, and never throws: what is found was written by whoever may push to the registry, or signs plans. */
export function judgeRelease(
  image: ReleasedImage,
  found: readonly FoundSignature[],
  role: ReleaseRole,
): RoleVerdict {
  const signatures: PlanSignature[] = []
  let nearest: Rejection | null = null
  for (const key of role.keys) {
    if (signatures.length === role.threshold) break
    const signature = signatureBy(key, image, found)
    if (signature !== null) signatures.push(signature)
    else nearest ??= rejectionOf(key, image, found)
  }
  if (signatures.length < role.threshold) {
    return { kind: 'unsigned', message: unsignedSentence(image, role, { count: signatures.length, nearest }) }
  }
  const sizeBytes = sizeBytesOf(signatures)
  const message = `verifying ${nameOf(image)}: its release signatures have ${sizeBytes} bytes, more than the ${PLAN_SIGNATURES_MAX_BYTES} of any plan; sign it anew`
  if (sizeBytes > PLAN_SIGNATURES_MAX_BYTES) return { kind: 'unsigned', message }
  return { kind: 'signed', signatures }
}

/** As {@link judgeRelease}, of what a plan carries. */
export function judgePlanned(
  image: ReleasedImage,
  signatures: readonly PlanSignature[],
  role: ReleaseRole,
): RoleVerdict {
  return judgeRelease(image, signatures.map(toFoundSignature), role)
}

/** The smallest of those that it made, in the form that was found to verify. */
function signatureBy(
  key: ReleaseKey,
  image: ReleasedImage,
  found: readonly FoundSignature[],
): PlanSignature | null {
  const policy = { keys: [key], signers: [] }
  const made = found.flatMap((each) => {
    const kept = toPlanSignature(each)
    if (kept === null) return []
    return verifyRelease(image, [toFoundSignature(kept)], policy).kind === 'verified' ? [kept] : []
  })
  return made.toSorted((left, right) => sizeBytesOf([left]) - sizeBytesOf([right]))[0] ?? null
}

function rejectionOf(
  key: ReleaseKey,
  image: ReleasedImage,
  found: readonly FoundSignature[],
): Rejection | null {
  const verdict = verifyRelease(image, found, { keys: [key], signers: [] })
  return verdict.kind === 'verified' ? null : verdict.rejection
}

function unsignedSentence(
  image: ReleasedImage,
  { keys, threshold }: ReleaseRole,
  { count, nearest }: { readonly count: number; readonly nearest: Rejection | null },
): string {
  const names = keys.map(({ name }) => name).join(', ')
  const wanted =
    keys.length === 1
      ? `a signature by release key ${names}`
      : `signatures by ${threshold} of the release keys ${names}`
  const found =
    count > 0 ? `${count} was found` : nearest === null ? 'there is none' : rejectionSentence(nearest)
  return `verifying ${nameOf(image)}: the trust bundle asks for ${wanted}, and ${found}; sign the image with it, or name another`
}

function nameOf({ repository, digest }: ReleasedImage): string {
  return `${repository}@${digest}`
}
