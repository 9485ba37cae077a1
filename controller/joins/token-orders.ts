import { createHash, randomBytes } from 'node:crypto'
import { TOKEN_SECRET_BYTES, fingerprintOf, formatJoinToken } from '../../proto/join-token.ts'
import { ControllerError } from '../errors.ts'
import { freeSlot } from './join-book.ts'
import type { JoiningParts } from './joining-hosts.ts'
import { remarkOn, withDecision } from './judge.ts'
import type { TokenSeal } from './token-seal.ts'
import { replacedBy, takePlace } from './replacing.ts'
import type { Retiring } from './replacing.ts'
import { isLive, isOver, isWaiting } from './token-record.ts'
import type { RequestRecord, TokenRecord } from './token-record.ts'

export type TokenWish = {
  readonly labels: Readonly<Record<string, string>>
  readonly lifeMs: number
  readonly uses: number
  readonly autoApprovals: number
  /** Name or id of the host whose place is taken; empty: none. */
  readonly replaces: string
  /** Instead of all that: hosts that are enrolled come back by their own key. */
  readonly returning?: boolean
}

export type JoinDecision = {
  /** Fingerprint or id of the host. */
  readonly request: string
  readonly actor: string
  readonly reason: string
}

export type Joined = { readonly hostId: string; readonly message: string; readonly changed: boolean }
export type ListedRequest = RequestRecord & { readonly token: TokenRecord }

export type TokenOrders = {
  readonly create: (wish: TokenWish, actor: string) => Promise<{ text: string; token: TokenRecord }>
  readonly tokens: () => Promise<readonly TokenRecord[]>
  readonly revoke: (order: { id: string; actor: string; reason: string }) => Promise<Omit<Joined, 'hostId'>>
  /** Newest last; of one host only its newest. */
  readonly requests: () => Promise<readonly ListedRequest[]>
  /** `name`: empty for the one that the host asked for. */
  readonly approve: (decision: JoinDecision & { readonly name: string }) => Promise<Joined>
  readonly deny: (decision: JoinDecision) => Promise<Joined>
}

type Parts = Pick<JoiningParts, 'book' | 'inTurn' | 'enrolments' | 'admit' | 'now'> & {
  /** Of the CA that callers must find at the server. @throws ControllerError RequestInvalid without a listener. */
  readonly authoritySha256: () => Uint8Array
  readonly seal: TokenSeal['seal']
  readonly retire: Retiring
}

const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** What operators do with tokens and with what hosts ask by them. */
export function openTokenOrders(parts: Parts): TokenOrders {
  const { book, inTurn, now } = parts
  return {
    create: (wish, actor) => inTurn(() => createToken(parts, wish, actor)),
    tokens: async () =>
      (await book.tokens())
        .filter((token) => !isOver(token, now()) || now() < token.expiresAtMs + 24 * 60 * 60 * 1000)
        .toSorted((one, other) => one.createdAtMs - other.createdAtMs),
    revoke: (order) => inTurn(() => revokeToken(parts, order)),
    requests: () => listRequests(parts),
    approve: (decision) => inTurn(() => approve(parts, decision)),
    deny: (decision) => inTurn(() => deny(parts, decision)),
  }
}

async function createToken(
  { book, now, enrolments, authoritySha256, seal }: Parts,
  wish: TokenWish,
  actor: string,
): Promise<{ text: string; token: TokenRecord }> {
  const nowMs = now()
  const pin = authoritySha256()
  const slot = freeSlot(await book.tokens(), nowMs)
  if (slot === null) {
    throw new ControllerError('Conflict', 'making a token: too many are open; revoke some, or wait an hour')
  }
  const secret = randomBytes(TOKEN_SECRET_BYTES)
  const id = [...randomBytes(10)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('')
  const { lifeMs, uses, autoApprovals } = wish
  const { labels, ...replacing } = replacedBy(wish, enrolments())
  const returning = wish.returning === true ? { returning: true } : {}
  const terms = {
    id,
    secretSha256: createHash('sha256').update(secret).digest('hex'),
    labels,
    createdBy: actor,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + lifeMs,
    uses,
    autoApprovals,
    ...replacing,
    ...returning,
  }
  const token: TokenRecord = { ...terms, slot, seal: seal(terms), requests: [] }
  await book.keep(token)
  const text = wish.returning === true ? '' : formatJoinToken({ id, secret, authoritySha256: pin })
  return { text, token }
}

async function revokeToken(
  { book, now }: Parts,
  { id, actor, reason }: { readonly id: string; readonly actor: string; readonly reason: string },
): Promise<Omit<Joined, 'hostId'>> {
  const token = (await book.tokens()).find((one) => one.id === id)
  if (token === undefined) throw new ControllerError('NotFound', `revoking a token: there is no token ${id}`)
  if (token.revoked !== undefined) {
    return { message: `token ${id} was revoked by ${token.revoked.actor} already`, changed: false }
  }
  const nowMs = now()
  const decision = { kind: 'Denied', atMs: nowMs, actor, reason: 'its token was revoked' } as const
  const requests = token.requests.map((one) => (isWaiting(one, nowMs) ? { ...one, decision } : one))
  await book.keep({ ...token, requests, revoked: { atMs: nowMs, actor, reason } })
  const inside = requests.filter((one) => one.decision?.kind === 'Approved').map((one) => one.name)
  const rest = inside.length === 0 ? 'it let no host in' : `it let in ${inside.join(', ')}`
  return { message: `token ${id} is revoked, and what waited by it is denied; ${rest}`, changed: true }
}

async function listRequests({ book, enrolments, now }: Parts): Promise<readonly ListedRequest[]> {
  const nowMs = now()
  const all = (await book.tokens())
    .flatMap((token) => token.requests.map((request) => ({ ...request, token })))
    .filter((request) => isLive(request, nowMs))
    .toSorted((one, other) => one.requestedAtMs - other.requestedAtMs)
  const newest = new Map(all.map((request) => [request.hostId, request]))
  // As it is now: the name may have been given or become free since.
  const records = enrolments()
  return all
    .filter((request) => newest.get(request.hostId) === request)
    .map((one) => (one.decision === null ? { ...one, remark: remarkOn(one.token, one, records) } : one))
}

async function approve(
  parts: Parts,
  { request, name, actor, reason }: JoinDecision & { readonly name: string },
): Promise<Joined> {
  const found = await findRequest(parts, request, 'approving')
  const { hostId, token, decision } = found
  if (decision?.kind === 'Approved') {
    return { hostId, message: `host ${found.name} was let in by ${decision.actor} already`, changed: false }
  }
  if (decision !== null) {
    throw new ControllerError(
      'Conflict',
      `approving ${request}: ${decision.actor} denied it; it must ask anew`,
    )
  }
  const called = name === '' ? found.name : name
  await takePlace(found, { name: called, actor }, parts.retire)
  await parts.admit({ hostId, name: called, labels: token.labels })
  const approved = { kind: 'Approved', atMs: parts.now(), actor, reason } as const
  await parts.book.keep(withDecision(token, hostId, { decision: approved, name: called }))
  return { hostId, message: `host ${called} (${fingerprintOf(hostId)}) is let in`, changed: true }
}

async function deny(parts: Parts, { request, actor, reason }: JoinDecision): Promise<Joined> {
  const found = await findRequest(parts, request, 'denying')
  const { hostId, name, token, decision } = found
  if (decision?.kind === 'Denied') {
    return { hostId, message: `it was denied by ${decision.actor} already`, changed: false }
  }
  if (decision !== null) {
    throw new ControllerError('Conflict', `denying ${request}: it is let in as ${name}; revoke host/${name}`)
  }
  const denied = { kind: 'Denied', atMs: parts.now(), actor, reason } as const
  await parts.book.keep(withDecision(token, hostId, { decision: denied, name }))
  return { hostId, message: `${fingerprintOf(hostId)}, which asked as ${name}, is denied`, changed: true }
}

/** Whole fingerprints and ids only: a beginning could be another key's. */
async function findRequest(parts: Parts, reference: string, doing: string): Promise<ListedRequest> {
  const wanted = reference.toLowerCase()
  const found = (await listRequests(parts)).find(
    ({ hostId }) => hostId === wanted || [fingerprintOf(hostId), hostId.slice(0, 16)].includes(wanted),
  )
  if (found !== undefined) return found
  throw new ControllerError(
    'NotFound',
    `${doing} ${reference}: nothing asks under that; "bootfleet get requests" lists who asks`,
  )
}
