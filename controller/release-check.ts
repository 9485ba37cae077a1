import { createHash } from 'node:crypto'
import { keyIdOf } from '../proto/envelope.ts'
import { judgeRelease } from '../proto/release-role.ts'
import type { ReleaseRole } from '../proto/release-role.ts'
import type { FoundSignature } from '../proto/release-verdict.ts'
import type { ResolvedImage } from './rollout/wanted.ts'
import type { ReleaseProofs } from './verified.ts'

/** Whether hosts would take an image, and what they are given to see it by. */
export type ReleaseCheck = {
  /** Null: they would. Else why not, for a person. */
  readonly check: (
    image: ResolvedImage,
    find: () => Promise<readonly FoundSignature[]>,
  ) => Promise<string | null>
  readonly proofs: () => ReleaseProofs
}

/** `role` null: hosts ask for nobody's signature. */
export function openReleaseCheck(before: ReleaseProofs, role: ReleaseRole | null): ReleaseCheck {
  const proofs = new Map<string, ReleaseProofs[string]>()
  const fingerprint = role === null ? '' : fingerprintOf(role)
  return {
    async check(image, find) {
      if (role === null) return null
      const name = nameOf(image)
      const known = Object.hasOwn(before, name) ? before[name] : undefined
      if (known?.role === fingerprint) {
        proofs.set(name, known)
        return null
      }
      const verdict = judgeRelease(image, await find(), role)
      if (verdict.kind === 'unsigned') return verdict.message
      proofs.set(name, { role: fingerprint, signatures: verdict.signatures })
      return null
    },
    proofs: () => Object.fromEntries([...proofs].toSorted(([left], [right]) => (left < right ? -1 : 1))),
  }
}

/** With what hosts are to verify it by; of one that nobody had to sign as it is. */
export function withProof(proofs: ReleaseProofs, image: ResolvedImage): ResolvedImage {
  const { signatures: _before, ...rest } = image
  const name = nameOf(image)
  const proof = Object.hasOwn(proofs, name) ? proofs[name] : undefined
  return proof === undefined ? rest : { ...rest, signatures: proof.signatures }
}

function nameOf({ repository, digest }: ResolvedImage): string {
  return `${repository}@${digest}`
}

/** Of everything that decides: what was signed for others must be looked at anew. */
function fingerprintOf({ keys, threshold }: ReleaseRole): string {
  const ids = keys.map(({ key }) => keyIdOf(key)).toSorted()
  return createHash('sha256')
    .update(JSON.stringify([threshold, ids]))
    .digest('hex')
}
