import { createHash, createPublicKey, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { keyIdOf, preAuthenticationEncoding } from './envelope.ts'

/** What the director's signature of an entry binds, beside its bytes. */
export const AUDIT_PAYLOAD_TYPE = 'application/vnd.bootfleet.audit.v1+json'
/** `previous` of the first entry of a chain. */
export const AUDIT_BEGIN = '0'.repeat(64)

export const AUDIT_LINE_MAX_BYTES = 32 * 1024
/** Chains whose heads one entry can name. */
export const AUDIT_HEADS_MAX = 64

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const Instant = z.iso.datetime({ precision: 3 })
const Count = z.int().nonnegative()

const Head = z.strictObject({
  chain: z.uuid(),
  /** Number of the first entry that is there. */
  first: z.int().positive(),
  last: z.int().positive(),
  sha256: Sha256,
})

/**
 * One line of the audit log. Fields stand in the order of their names, so that JSON.stringify of what was parsed is
 * the canonical form: a line that reads otherwise is none.
 */
const Entry = z.strictObject({
  /** `operator/NAME`, `host/ID` or `controller`. */
  actor: z.string().min(1).max(128),
  at: Instant,
  /** One per controller; it begins anew with a new state directory. */
  chain: z.uuid(),
  /** The method of the operator service, or what the controller noticed. */
  event: z.string().regex(/^[A-Z][A-Za-z]{0,39}$/),
  /** Empty where it concerns none, or not a single one. */
  fleet: z.string().max(63),
  /** Of an export: where each chain in it ends. */
  heads: z.array(Head).max(AUDIT_HEADS_MAX),
  /** Id of the director key that signed. */
  key: Sha256,
  /** What was answered, or why not. */
  message: z.string().max(2_000),
  number: z.int().positive(),
  /** Number of the entry that this one answers; 0: of none. */
  of: Count,
  /** Refusals before this one that were too many to be kept. */
  omitted: Count,
  /** Asked is written before an order is carried out, Done or Failed after it. */
  outcome: z.enum(['Asked', 'Done', 'Failed', 'Refused', 'Noted']),
  /** SHA-256 of the line before, without its newline. */
  previous: Sha256,
  reason: z.string().max(500),
  signature: z.string().max(128),
  /** Whom or what it was about, as the caller wrote it. */
  subject: z.string().max(1_000),
  term: Count,
  version: z.literal(1),
})

export type AuditHead = z.infer<typeof Head>
export type AuditEntry = z.infer<typeof Entry>
/** What happened, before it has its place in a chain. */
export type AuditFact = Pick<AuditEntry, 'actor' | 'event' | 'outcome'> &
  Partial<Pick<AuditEntry, 'fleet' | 'heads' | 'message' | 'of' | 'omitted' | 'reason' | 'subject' | 'term'>>

export type AuditPlace = { readonly chain: string; readonly number: number; readonly previous: string }

/** The line of an entry, without its newline. */
export function sealAuditEntry(
  fact: AuditFact,
  place: AuditPlace & { readonly at: string },
  key: { readonly privateKey: KeyObject; readonly id: string },
): string {
  const unsigned = {
    actor: cut(fact.actor, 128),
    at: place.at,
    chain: place.chain,
    event: fact.event,
    fleet: cut(fact.fleet ?? '', 63),
    heads: fact.heads ?? [],
    key: key.id,
    message: cut(fact.message ?? '', 2_000),
    number: place.number,
    of: fact.of ?? 0,
    omitted: fact.omitted ?? 0,
    outcome: fact.outcome,
    previous: place.previous,
    reason: cut(fact.reason ?? '', 500),
    signature: '',
    subject: cut(fact.subject ?? '', 1_000),
    term: fact.term ?? 0,
    version: 1,
  } satisfies AuditEntry
  const signature = signBytes(null, signedBytes(unsigned), key.privateKey).toString('base64')
  return JSON.stringify(Entry.parse({ ...unsigned, signature }))
}

export function auditKeyOf(privateKey: KeyObject): { readonly privateKey: KeyObject; readonly id: string } {
  return { privateKey, id: keyIdOf(createPublicKey(privateKey)) }
}

/** Null unless the line is an entry in its one spelling. */
export function parseAuditEntry(line: string): AuditEntry | null {
  if (line.length > AUDIT_LINE_MAX_BYTES) return null
  try {
    const parsed = Entry.safeParse(JSON.parse(line))
    return parsed.success && JSON.stringify(parsed.data) === line ? parsed.data : null
  } catch {
    return null
  }
}

export function auditHash(line: string): string {
  return createHash('sha256').update(line, 'utf8').digest('hex')
}

/** `keys`: public keys of every director there ever was. */
export function isSignedBy(entry: AuditEntry, keys: ReadonlyMap<string, KeyObject>): boolean {
  const key = keys.get(entry.key)
  if (key?.asymmetricKeyType !== 'ed25519') return false
  const signature = Buffer.from(entry.signature, 'base64')
  return (
    signature.toString('base64') === entry.signature && verifyBytes(null, signedBytes(entry), key, signature)
  )
}

function signedBytes(entry: AuditEntry): Buffer {
  const text = JSON.stringify({ ...entry, signature: '' })
  return preAuthenticationEncoding(AUDIT_PAYLOAD_TYPE, Buffer.from(text, 'utf8'))
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : text.slice(0, lengthMax)
}
