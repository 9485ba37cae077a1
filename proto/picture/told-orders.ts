import type { AuditEntry } from '../audit-entry.ts'

/** An order is kept before it is carried out and again after it: one line of both, once there is the second. */
export function withoutAsked(entries: readonly AuditEntry[]): readonly AuditEntry[] {
  const placeOf = (chain: string, number: number): string => `${chain}/${number}`
  const asked = new Map(
    entries
      .filter(({ outcome }) => outcome === 'Asked')
      .map((entry) => [placeOf(entry.chain, entry.number), entry]),
  )
  const answered = new Set(entries.filter(({ of }) => of !== 0).map(({ chain, of }) => placeOf(chain, of)))
  return entries
    .filter((entry) => !(entry.outcome === 'Asked' && answered.has(placeOf(entry.chain, entry.number))))
    .map((entry) => {
      const question = asked.get(placeOf(entry.chain, entry.of))
      return question === undefined ? entry : { ...entry, reason: question.reason }
    })
}
