import { byCodeUnits, canonicalJson } from './canonical-json.ts'
import type { Health, ImageVerification } from './types.ts'
import { canonicalVerification } from './verification.ts'

export type RevisionParts = {
  readonly image: { readonly repository: string; readonly digest: string }
  readonly health: Health
  /** Null: no signature is asked for. */
  readonly verify?: ImageVerification | null
  /** As git has them; what is shown with one, like its reason, is not part of it. */
  readonly barriers?: readonly { readonly below: string; readonly digest: string }[]
}

/**
 * The text whose SHA-256, in hex, is the revision. Hashing is left to the caller: no crypto in a pure folder.
 * A fleet which starts to use `verify` gets a new revision, and one which does not keeps the one it has. The order of units, addresses, checks and barriers means nothing, so it does not count.
 */
export function canonicalRevisionInput({
  image,
  health,
  verify = null,
  barriers = [],
}: RevisionParts): string {
  return canonicalJson({
    image: { repository: image.repository, digest: image.digest },
    verify: verify === null ? null : canonicalVerification(verify),
    health: {
      units: asSet(health.units),
      http: asSet(health.http.map(({ url }) => url)).map((url) => ({ url })),
      checks: asSet(health.checks),
      greenboot: health.greenboot,
      reachController: health.reachController,
      stableForMs: health.stableForMs,
    },
    barriers: [...new Map(barriers.map((each) => [barrierKey(each), each]))]
      .toSorted(([left], [right]) => byCodeUnits(left, right))
      .map(([, { below, digest }]) => ({ below, digest })),
  })
}

function barrierKey({ below, digest }: { readonly below: string; readonly digest: string }): string {
  return `${below} ${digest}`
}

function asSet(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted(byCodeUnits)
}
