import { createHash, timingSafeEqual } from 'node:crypto'
import { fingerprintOf } from '../../proto/join-token.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import { REQUEST_LIFE_MS, WAITING_MAX, isLive, isOpen, isWaiting } from './token-record.ts'
import type { RequestDecision, RequestRecord, TokenRecord } from './token-record.ts'

/** What a caller shows and asks. The id follows from the key of its request. */
export type Claim = {
  readonly tokenId: string
  readonly tokenSecret: Uint8Array
  readonly hostId: string
  readonly natsUserPublicKey: string
  readonly name: string
  readonly from: string
}

export type Judgement =
  /** Why is for the audit log; the caller is told the same whatever it is. */
  | { readonly kind: 'Refused'; readonly why: string }
  | { readonly kind: 'Full' }
  /** `changed`: the token as it must be kept before anything is answered. */
  | { readonly kind: 'Asked'; readonly changed: TokenRecord; readonly request: RequestRecord }
  | { readonly kind: 'AskedBefore'; readonly token: TokenRecord; readonly request: RequestRecord }

const NO_SECRET = Buffer.alloc(32)

/** The one check of a token. A key that asked before is the same request, however the token fares since. */
export function judgeClaim(
  tokens: readonly TokenRecord[],
  claim: Claim,
  { enrolments, nowMs }: { readonly enrolments: readonly EnrolmentRecord[]; readonly nowMs: number },
): Judgement {
  const token = tokens.find(({ id }) => id === claim.tokenId)
  // An id that is not there takes as long as one that is.
  const isSecret = isSame(token?.secretSha256 ?? '', claim.tokenSecret)
  if (token === undefined || !isSecret) return refused(token === undefined ? 'no such token' : 'wrong secret')
  const before = token.requests.find(({ hostId }) => hostId === claim.hostId)
  if (before !== undefined) {
    // The first of the two is sealed, whatever the store says of the second.
    const isOld = nowMs >= token.expiresAtMs + REQUEST_LIFE_MS || !isLive(before, nowMs)
    if (isOld) return refused('its request has expired')
    const isSameUser = before.natsUserPublicKey === claim.natsUserPublicKey
    return isSameUser
      ? { kind: 'AskedBefore', token, request: before }
      : refused('another NATS user than it asked with')
  }
  if (!isOpen(token, nowMs)) return refused(whyClosed(token))
  const waiting = tokens.flatMap(({ requests }) => requests.filter((one) => isWaiting(one, nowMs)))
  if (waiting.length >= WAITING_MAX) return { kind: 'Full' }
  const remark = remarkOn(token, claim, enrolments)
  const autoGiven = token.requests.filter(({ isAuto }) => isAuto).length
  const request: RequestRecord = {
    hostId: claim.hostId,
    name: nameFor(token, claim),
    natsUserPublicKey: claim.natsUserPublicKey,
    requestedAtMs: nowMs,
    from: claim.from,
    isAuto: remark === '' && autoGiven < token.autoApprovals,
    remark,
    decision: null,
  }
  return { kind: 'Asked', changed: { ...token, requests: [...token.requests, request] }, request }
}

/** Who takes a place takes its name. */
function nameFor({ replaces }: TokenRecord, { name }: Claim): string {
  return replaces?.name ?? name
}

/** Whom no token alone lets in: a known key or name again is a person's decision. */
export function remarkOf(
  { hostId, name }: { readonly hostId: string; readonly name: string },
  enrolments: readonly EnrolmentRecord[],
): string {
  const known = enrolments.find((record) => record.hostId === hostId)
  if (known?.revoked !== undefined) return `this key is host ${known.name}, revoked: ${known.revoked.reason}`
  if (known !== undefined) return `this key is host ${known.name} already`
  const holder = enrolments.find((record) => record.name === name)
  return holder === undefined ? '' : `the name belongs to host ${holder.hostId}, with another key`
}

/** The same of one that asks by `token`; whose place it takes is for the person to compare. */
export function remarkOn(
  { replaces }: TokenRecord,
  claim: { readonly hostId: string; readonly name: string },
  enrolments: readonly EnrolmentRecord[],
): string {
  if (replaces === undefined) return remarkOf(claim, enrolments)
  const known = enrolments.find(({ hostId }) => hostId === claim.hostId)
  if (known !== undefined) return remarkOf(claim, enrolments)
  return `takes the place of host ${replaces.name}, whose key ${fingerprintOf(replaces.hostId)} is revoked by that`
}

export function withDecision(
  token: TokenRecord,
  hostId: string,
  changes: { readonly decision: RequestDecision; readonly name: string },
): TokenRecord {
  const requests = token.requests.map((one) => (one.hostId === hostId ? { ...one, ...changes } : one))
  return { ...token, requests }
}

function whyClosed(token: TokenRecord): string {
  if (token.revoked !== undefined) return 'it is revoked'
  return token.requests.length >= token.uses ? 'it is used up' : 'it has expired'
}

function refused(why: string): Judgement {
  return { kind: 'Refused', why }
}

function isSame(sha256: string, secret: Uint8Array): boolean {
  const wanted = Buffer.from(sha256, 'hex')
  const given = createHash('sha256').update(secret).digest()
  const isKnown = wanted.length === given.length
  return timingSafeEqual(isKnown ? wanted : NO_SECRET, given) && isKnown
}
