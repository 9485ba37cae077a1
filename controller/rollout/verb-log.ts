import type { VerbRecord } from './records.ts'

/** Orders kept on one record: it must not grow for ever. */
export const logMax = 32

export function withVerb<Logged extends { readonly log: readonly VerbRecord[] }>(
  record: Logged,
  said: VerbRecord,
): Logged {
  return { ...record, log: [...record.log, said].slice(-logMax) }
}
