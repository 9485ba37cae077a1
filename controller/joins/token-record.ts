/** What is kept of a token, with what was asked with it: one value, so that a use and its request are one write. */
export type TokenRecord = {
  /** Its place in the store, which a later token takes over. */
  readonly slot: number
  readonly id: string
  /** Of the secret; the secret itself is kept nowhere. */
  readonly secretSha256: string
  /** What every host gets that is let in with it. */
  readonly labels: Readonly<Record<string, string>>
  readonly createdBy: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** So many different keys may ask with it. */
  readonly uses: number
  /** So many of them are let in without a person. */
  readonly autoApprovals: number
  /** The host whose place is taken by whom it lets in; only a person lets it in. Absent: a host of its own. */
  readonly replaces?: Replaced | undefined
  /** It has no secret, and lets no host in: while it is open, those that are enrolled come back by their own key. */
  readonly returning?: boolean | undefined
  readonly revoked?: Decision | undefined
  /** The director key's, over what the token promises. */
  readonly seal: string
  readonly requests: readonly RequestRecord[]
}

export type Replaced = { readonly hostId: string; readonly name: string }

export type RequestRecord = {
  readonly hostId: string
  readonly name: string
  readonly natsUserPublicKey: string
  readonly requestedAtMs: number
  /** Address it came from, as the connection said. */
  readonly from: string
  /** One of the token's own approvals is for it. */
  readonly isAuto: boolean
  /** Why it waits for a person although the token could let it in; else empty. */
  readonly remark: string
  /** Null: it waits. */
  readonly decision: RequestDecision | null
}

export type RequestDecision = Decision & { readonly kind: 'Approved' | 'Denied' }

/** `actor`: an operator's name, or `token`. */
export type Decision = { readonly atMs: number; readonly actor: string; readonly reason: string }

const HOUR_MS = 60 * 60 * 1000

export const TOKEN_LIFE_MAX_MS = HOUR_MS
export const TOKEN_LIFE_MIN_MS = 60 * 1000
export const TOKEN_USES_MAX = 50
/** After that a request is forgotten, and a token is listed no more. */
export const REQUEST_LIFE_MS = 24 * HOUR_MS
export const TOKENS_MAX = 256
export const WAITING_MAX = 1_000

export function isLive(request: RequestRecord, nowMs: number): boolean {
  return nowMs < request.requestedAtMs + REQUEST_LIFE_MS
}

export function isWaiting(request: RequestRecord, nowMs: number): boolean {
  return request.decision === null && isLive(request, nowMs)
}

/** May be forgotten: nobody can use it, and nothing that was asked with it is open. */
export function isOver(token: TokenRecord, nowMs: number): boolean {
  return !isOpen(token, nowMs) && !token.requests.some((request) => isLive(request, nowMs))
}

/** Another key may ask with it. */
export function isOpen(token: TokenRecord, nowMs: number): boolean {
  return token.revoked === undefined && nowMs < token.expiresAtMs && token.requests.length < token.uses
}

export type TokenState = 'Open' | 'Used' | 'Expired' | 'Revoked'

export function tokenStateOf(token: TokenRecord, nowMs: number): TokenState {
  if (token.revoked !== undefined) return 'Revoked'
  if (token.requests.length >= token.uses) return 'Used'
  return nowMs < token.expiresAtMs ? 'Open' : 'Expired'
}
