import type { KeyObject } from 'node:crypto'
import { AUDIT_BEGIN, auditHash, isSignedBy, parseAuditEntry } from './audit-entry.ts'
import type { AuditEntry, AuditHead } from './audit-entry.ts'

/** Reads lines of one or more chains, in any order between chains, and says what is wrong with the first that is. */
export type AuditReader = {
  /** What is wrong with this line; null when it goes on well. */
  take(line: string): string | null
  readonly heads: () => readonly AuditHead[]
  /** The newest line's entry; null before the first. */
  readonly last: () => AuditEntry | null
  /** Whether an entry had this hash, in full or at least 12 digits of it. */
  readonly has: (sha256: string) => boolean
}

/** `keys` null: signatures are not looked at. */
export function openAuditReader(keys: ReadonlyMap<string, KeyObject> | null): AuditReader {
  const chains = new Map<string, AuditHead & { readonly at: string }>()
  const hashes = new Set<string>()
  let last: AuditEntry | null = null

  function wrong(entry: AuditEntry): string | null {
    const { chain, number, previous } = entry
    const before = chains.get(chain)
    const name = `entry ${number} of chain ${chain.slice(0, 8)}`
    if (before === undefined) {
      if ((number === 1) !== (previous === AUDIT_BEGIN))
        return `${name} is not what it says: the first has no other before it`
    } else if (number !== before.last + 1) {
      return `${name} follows entry ${before.last}: what was between is gone, or they changed places`
    } else if (previous !== before.sha256) {
      return `${name} names another entry before it: that one, number ${before.last}, was changed`
    }
    if (keys !== null && !isSignedBy(entry, keys)) {
      return `${name} is not signed by a director key that the trust bundles name: it was changed or made up`
    }
    return null
  }

  return {
    take(line) {
      const entry = parseAuditEntry(line)
      if (entry === null) return 'it is no entry of an audit log, spelled as one is written'
      const found = wrong(entry)
      if (found !== null) return found
      const sha256 = auditHash(line)
      const first = chains.get(entry.chain)?.first ?? entry.number
      chains.set(entry.chain, { chain: entry.chain, first, last: entry.number, sha256, at: entry.at })
      hashes.add(sha256)
      last = entry
      return null
    },
    heads: () =>
      [...chains.values()].map(({ chain, first, last: end, sha256 }) => ({
        chain,
        first,
        last: end,
        sha256,
      })),
    last: () => last,
    has: (sha256) =>
      hashes.has(sha256) || (sha256.length >= 12 && [...hashes].some((hash) => hash.startsWith(sha256))),
  }
}

/**
 * Whether what an export says of itself is all there: its last entry is of the export and names where every chain
 * ends, so that a tail that was cut off is missed. Null: it is.
 */
export function wrongInExport(reader: AuditReader): string | null {
  const last = reader.last()
  if (last === null) return 'it holds no entry'
  if (last.event !== 'ExportAudit' || last.outcome !== 'Done') {
    return 'it does not end with the entry of its own export: the tail was cut off'
  }
  const found = new Map(reader.heads().map((head) => [head.chain, head]))
  for (const said of last.heads) {
    const head = found.get(said.chain)
    const name = `chain ${said.chain.slice(0, 8)}`
    if (head === undefined) return `${name} is gone; it had entries ${said.first} to ${said.last}`
    if (head.first !== said.first) {
      return `${name} begins with entry ${head.first}, and the export began with ${said.first}`
    }
    // The chain of the export itself goes on to its entry, and each entry vouches for the one before.
    const isWhole = said.chain === last.chain || (head.last === said.last && head.sha256 === said.sha256)
    if (!isWhole) return `${name} ends with entry ${head.last}, and the export ended with ${said.last}`
  }
  for (const { chain, first } of found.values()) {
    const isNamed = last.heads.some((said) => said.chain === chain)
    const isOnlyOfExport = chain === last.chain && first === last.number
    if (!isNamed && !isOnlyOfExport) return `chain ${chain.slice(0, 8)} was not in the export`
  }
  return null
}
