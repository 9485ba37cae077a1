import type { AcceptedPlan } from '../update/types.ts'

/**
 * When the plan last accepted was signed, where that is longer ago than `staleAfterMs`; null: it is not, or none was
 * ever accepted. The controller signs each host's plan anew twice a day although nothing changes, so such a host is
 * kept from its plans: by a fault, or by somebody who withholds them.
 */
export function staleSinceMs(
  accepted: Pick<AcceptedPlan, 'issuedAtMs'> | null,
  at: { readonly nowMs: number; readonly staleAfterMs: number },
): number | null {
  if (accepted === null || at.nowMs - accepted.issuedAtMs <= at.staleAfterMs) return null
  return accepted.issuedAtMs
}
