import type { ReleaseRole } from '../proto/release-role.ts'
import { verifyRelease } from '../proto/release-signature.ts'
import type { FoundSignature } from '../proto/release-verdict.ts'
import type { ImageVerification } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import { ruleOf } from './image-trust.ts'
import type { ImageTrust } from './image-trust.ts'
import { openReleaseCheck } from './release-check.ts'
import type { ResolvedImage } from './rollout/wanted.ts'
import type { Verified } from './verified.ts'

export type Signatures = (
  repository: string,
  digest: string,
  signal: AbortSignal,
) => Promise<readonly FoundSignature[]>

/**
 * Null: it may be granted. Else why not, for a person.
 * @throws ControllerError when its signatures cannot be looked for.
 */
export type Check = (image: ResolvedImage, verify: ImageVerification | null) => Promise<string | null>

export type Judgement = {
  /** Why it must not be granted; null: it may. */
  readonly failure: string | null
  /** What kept its signatures from being looked for. */
  readonly error: ControllerError | null
}

export async function judge(
  check: Check,
  image: ResolvedImage,
  verify: ImageVerification | null,
): Promise<Judgement> {
  try {
    return { failure: await check(image, verify), error: null }
  } catch (error) {
    if (error instanceof ControllerError) return { failure: error.message, error }
    throw error
  }
}

/**
 * Checks images of one round. What was verified stays verified, as neither the digest nor what was signed can
 * change; what was not is looked for again each time, as signatures often come after the image.
 */
export function openVerifier(
  before: Verified,
  using: {
    readonly signatures: Signatures
    readonly trust: ImageTrust
    /** Whom hosts ask for, beside whoever git does; null: nobody. */
    readonly release: ReleaseRole | null
    readonly signal: AbortSignal
  },
): { readonly check: Check; readonly outcome: () => Verified } {
  const verified = new Map<string, Set<string>>()
  const release = openReleaseCheck(before.proofs, using.release)
  const asked = new Map<string, Promise<string | null>>()
  const lookedFor = new Map<string, ReturnType<Signatures>>()

  function find({ repository, digest }: ResolvedImage): ReturnType<Signatures> {
    const name = `${repository}@${digest}`
    const found = lookedFor.get(name) ?? using.signatures(repository, digest, using.signal)
    lookedFor.set(name, found)
    return found
  }

  async function askGit(image: ResolvedImage, verify: ImageVerification): Promise<string | null> {
    const name = `${image.repository}@${image.digest}`
    const rule = ruleOf(verify, using.trust)
    if (rule.kind === 'unusable') return `verifying ${name}: ${rule.detail}`
    const { fingerprint, policy } = rule
    const isKnown = Object.hasOwn(before.verified, name) && before.verified[name]?.includes(fingerprint)
    if (isKnown !== true) {
      const verdict = verifyRelease(image, await find(image), policy)
      if (verdict.kind === 'unverified') return verdict.message
    }
    verified.set(name, (verified.get(name) ?? new Set()).add(fingerprint))
    return null
  }

  async function lookAt(image: ResolvedImage, verify: ImageVerification | null): Promise<string | null> {
    const failure = verify === null ? null : await askGit(image, verify)
    return failure ?? release.check(image, () => find(image))
  }

  return {
    check(image, verify) {
      const question = JSON.stringify([image.repository, image.digest, verify])
      const answer = asked.get(question) ?? lookAt(image, verify)
      asked.set(question, answer)
      return answer
    },
    outcome: () => ({
      verified: Object.fromEntries(
        [...verified].map(([name, rules]) => [name, [...rules].toSorted()] as const).toSorted(byName),
      ),
      proofs: release.proofs(),
    }),
  }
}

function byName([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}
