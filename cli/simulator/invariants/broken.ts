/** Those of the engine's design, and what came to them; those that need what a simulator has not are judged elsewhere. */
export const invariantNames: Readonly<Record<number, string>> = {
  1: 'Caps',
  2: 'Budget',
  3: 'Gate',
  4: 'Partition',
  5: 'Determinism',
  6: 'Rounding',
  7: 'Conservation',
  8: 'Idempotence',
  9: 'Fencing',
  10: 'Pause',
  11: 'Abort',
  12: 'Single writer',
  13: 'Stable',
  14: 'Deny',
  15: 'Path',
  17: 'Windows',
  18: 'Rate',
  19: 'Failure memory',
  20: 'Finality',
  21: 'Leases',
  22: 'No hold and wait',
  23: 'Liveness',
  24: 'Blast radius',
  25: 'Small fleets',
  26: 'Soak',
  27: 'Rollback set',
  28: 'Truthful status',
  29: 'Preview',
  30: 'Explainability',
  31: 'Local choice',
}

/** A rule of the engine did not hold. */
export class InvariantBroken extends Error {
  readonly invariant: number

  constructor(invariant: number, found: string) {
    super(`invariant ${invariant} (${invariantNames[invariant] ?? 'unknown'}): ${found}`)
    this.invariant = invariant
  }
}

/** `found` is only asked for when the rule does not hold. */
export function hold(holds: boolean, invariant: number, found: () => string): void {
  if (!holds) throw new InvariantBroken(invariant, found())
}
