import { byCodeUnits, canonicalJson } from './canonical-json.ts'
import type { Health } from './types.ts'

export type RevisionParts = {
  readonly image: { readonly repository: string; readonly digest: string }
  readonly health: Health
}

/**
 * The text whose SHA-256, in hex, is the revision. Hashing is left to the caller: no crypto in a pure folder.
 * `verify` and `barriers` are written as empty so that a fleet which starts to use them gets a new revision,
 * and one which does not keeps the one it has. The order of checks means nothing, so it does not count.
 */
export function canonicalRevisionInput({ image, health }: RevisionParts): string {
  return canonicalJson({
    image: { repository: image.repository, digest: image.digest },
    verify: null,
    health: { checks: [...new Set(health.checks)].toSorted(byCodeUnits), stableForMs: health.stableForMs },
    barriers: [],
  })
}
