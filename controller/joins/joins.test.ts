import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { AuditFact } from '../../proto/audit-entry.ts'
import { parseJoinToken } from '../../proto/join-token.ts'
import { recordOf } from '../enrolment.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import { openTurns } from '../turns.ts'
import { openJoinBook } from './join-book.ts'
import { openJoiningHosts } from './joining-hosts.ts'
import type { JoinCall, JoinOutcome } from './joining-hosts.ts'
import { openTokenOrders } from './token-orders.ts'
import type { TokenOrders, TokenWish } from './token-orders.ts'
import { openTokenSeal } from './token-seal.ts'
import type { TokenRecord } from './token-record.ts'

const { seal, isSealed } = openTokenSeal(generateKeyPairSync('ed25519').privateKey)
const issued = { certificatePem: '', certificateAuthorityPem: '', trustBundles: [], natsUserJwt: '' }
const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000]
const till = 'a'.repeat(26)
const desk = 'b'.repeat(26)

let nowMs: number
let stored: Map<number, string>
let enrolled: Map<string, EnrolmentRecord>
let facts: AuditFact[]
let fails: 'nothing' | 'put' | 'admit' | 'put after admit'
let join: (call: JoinCall) => Promise<JoinOutcome>
let orders: TokenOrders

beforeEach(() => {
  nowMs = 1_000_000
  stored = new Map()
  enrolled = new Map()
  facts = []
  fails = 'nothing'
  open()
})

/** As after a restart: only what was stored is known. */
function open(): void {
  const keep = (fact: AuditFact): Promise<number> => Promise.resolve(facts.push(fact))
  const parts = {
    book: openJoinBook({
      load: async () => [...stored.values()].map((text) => JSON.parse(text) as TokenRecord),
      put: async (record) => {
        if (fails === 'put') throw new Error('the store is away')
        stored.set(record.slot, JSON.stringify(record))
      },
      isSealed,
      term: () => 1,
    }),
    inTurn: openTurns(),
    enrolments: () => [...enrolled.values()],
    admit: async (host: Pick<EnrolmentRecord, 'hostId' | 'name' | 'labels'>) => {
      if (fails === 'admit') throw new Error('killed')
      enrolled.set(host.hostId, recordOf([...enrolled.values()], host, nowMs))
      if (fails === 'put after admit') fails = 'put'
    },
    issue: () => Promise.resolve(issued),
    retire: () => Promise.reject(new Error('nobody is replaced here')),
    audit: { append: keep, refused: async (fact: AuditFact) => void (await keep(fact)) },
    now: () => nowMs,
  }
  join = openJoiningHosts(parts)
  orders = openTokenOrders({ ...parts, authoritySha256: () => Buffer.alloc(32), seal })
}

const wish: TokenWish = { labels: { site: 'eu' }, lifeMs: HOUR_MS, uses: 1, autoApprovals: 0, replaces: '' }

async function tokenFor(changes: Partial<TokenWish> = {}): Promise<{ id: string; secret: Uint8Array }> {
  const { text } = await orders.create({ ...wish, ...changes }, 'kim')
  const token = parseJoinToken(text)
  if (token === null) throw new Error('no token')
  return token
}

type Shown = Awaited<ReturnType<typeof tokenFor>>
const callOf = (token: Shown, hostId: string, name = `host-${hostId.slice(0, 1)}`): JoinCall => ({
  tokenId: token.id,
  tokenSecret: token.secret,
  hostId,
  natsUserPublicKey: `nats of ${hostId}`,
  name,
  from: '192.0.2.1',
  certificateRequestPem: '',
})
const ask = (token: Shown, hostId: string, name?: string): Promise<JoinOutcome> =>
  join(callOf(token, hostId, name))
const decision = { request: till, actor: 'kim', reason: 'saw it' }

describe('a host with a token', () => {
  it('waits until a person approved it, and is then let in under the labels of the token', async () => {
    const token = await tokenFor()
    expect(await ask(token, till)).toMatchObject({ kind: 'Waiting', message: '' })
    expect(await orders.requests()).toMatchObject([{ hostId: till, name: 'host-a', decision: null }])
    const approved = await orders.approve({ ...decision, request: 'aaaa-aaaa-aaaa-aaaa', name: '' })
    expect(approved).toMatchObject({ hostId: till, changed: true })
    expect(await ask(token, till)).toMatchObject({ kind: 'Admitted', name: 'host-a' })
    expect(enrolled.get(till)).toMatchObject({ name: 'host-a', labels: { site: 'eu' } })
    expect(await orders.approve({ ...decision, name: '' })).toMatchObject({ changed: false })
  })

  it('is let in at once as often as the token says, and waits after that', async () => {
    const token = await tokenFor({ uses: 2, autoApprovals: 1 })
    expect(await ask(token, till)).toMatchObject({ kind: 'Admitted' })
    expect(await ask(token, desk)).toMatchObject({ kind: 'Waiting' })
    expect(facts.map(({ outcome, message }) => [outcome, message])).toEqual([
      ['Asked', undefined],
      ['Done', 'let in by the token'],
      ['Asked', undefined],
      ['Done', 'bbbb-bbbb-bbbb-bbbb waits for a person'],
    ])
  })

  it('is the same request after a restart of the controller, though the token has ended', async () => {
    const token = await tokenFor()
    await ask(token, till)
    nowMs += 2 * HOUR_MS
    open()
    expect(await ask(token, till)).toMatchObject({ kind: 'Waiting' })
    await orders.approve({ ...decision, name: 'till-1' })
    open()
    expect(await ask(token, till)).toMatchObject({ kind: 'Admitted', name: 'till-1' })
  })

  it('is kept out when a person says so, and told why', async () => {
    const token = await tokenFor()
    await ask(token, till)
    await orders.deny(decision)
    expect(await ask(token, till)).toEqual({ kind: 'Denied', reason: 'saw it' })
    await expect(orders.approve({ ...decision, name: '' })).rejects.toMatchObject({ code: 'Conflict' })
    expect(enrolled.size).toBe(0)
  })

  const steps = ['admit', 'put after admit'] as const
  it.each(steps)('needs no person when the controller was killed while it let it in: %s', async (step) => {
    const token = await tokenFor({ autoApprovals: 1 })
    fails = step
    await expect(ask(token, till)).rejects.toThrow(/killed|away/)
    fails = 'nothing'
    open()
    expect(await ask(token, till)).toMatchObject({ kind: 'Admitted', name: 'host-a' })
  })
})

describe('a token', () => {
  it('that was used by one key is refused to another, however it was got', async () => {
    const token = await tokenFor({ autoApprovals: 1 })
    await ask(token, till)
    expect(await ask(token, desk)).toEqual({ kind: 'Refused' })
    expect(facts.at(-1)).toMatchObject({ outcome: 'Refused', message: 'it is used up' })
    expect(enrolled.has(desk)).toBe(false)
  })

  it('lets in one of two keys that come at once', async () => {
    const token = await tokenFor({ autoApprovals: 1 })
    const outcomes = await Promise.all([ask(token, till), ask(token, desk)])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['Admitted', 'Refused'])
    expect([...enrolled.keys()]).toEqual([till])
  })

  it('is refused in the same way when it is expired, revoked, unknown or has another secret', async () => {
    const [expired, revoked] = [await tokenFor({ lifeMs: MINUTE_MS }), await tokenFor()]
    await orders.revoke({ id: revoked.id, actor: 'kim', reason: 'lost' })
    nowMs += MINUTE_MS
    const wrong = { ...(await tokenFor()), secret: randomBytes(32) }
    const unknown = { id: 'a'.repeat(10), secret: randomBytes(32) }
    for (const token of [expired, revoked, wrong, unknown]) {
      expect(await ask(token, till)).toEqual({ kind: 'Refused' })
    }
    expect(facts.map(({ message }) => message)).toEqual([
      'it has expired',
      'it is revoked',
      'wrong secret',
      'no such token',
    ])
  })

  it('is not used by a request that the store did not keep', async () => {
    const token = await tokenFor()
    fails = 'put'
    await expect(ask(token, till)).rejects.toThrow('away')
    fails = 'nothing'
    expect(await ask(token, desk)).toMatchObject({ kind: 'Waiting' })
  })

  it('that is revoked denies what waits by it, and says whom it let in', async () => {
    const token = await tokenFor({ uses: 2, autoApprovals: 1 })
    await ask(token, till)
    await ask(token, desk)
    const told = await orders.revoke({ id: token.id, actor: 'kim', reason: 'lost' })
    expect(told.message).toContain('it let in host-a')
    expect(await ask(token, desk)).toEqual({ kind: 'Denied', reason: 'its token was revoked' })
  })

  it('gives a NATS user to nobody but the host that asked', async () => {
    const token = await tokenFor({ autoApprovals: 1 })
    await ask(token, till)
    const stolen = { ...callOf(token, till), natsUserPublicKey: 'mine' }
    expect(await join(stolen)).toEqual({ kind: 'Refused' })
  })

  it('is in the store only as a hash, and in no entry of the audit log', async () => {
    const token = await tokenFor({ autoApprovals: 1 })
    await ask(token, till)
    const secret = Buffer.from(token.secret)
    const kept = JSON.stringify([[...stored.values()], facts])
    for (const form of ['hex', 'base64'] as const) expect(kept).not.toContain(secret.toString(form))
  })
})

describe('a request for what is known already', () => {
  it('is never approved by a token: not for a known name', async () => {
    enrolled.set(desk, { hostId: desk, name: 'till-1', labels: {}, enrolledAtMs: 1 })
    const token = await tokenFor({ autoApprovals: 1 })
    expect(await ask(token, till, 'till-1')).toMatchObject({
      kind: 'Waiting',
      message: `the name belongs to host ${desk}, with another key`,
    })
    await expect(orders.approve({ ...decision, name: '' })).rejects.toMatchObject({ code: 'Conflict' })
    await orders.approve({ ...decision, name: 'till-2' })
    expect(await ask(token, till)).toMatchObject({ kind: 'Admitted', name: 'till-2' })
  })

  it('is never approved by a token: not for a known key, and least for a revoked one', async () => {
    const revoked = { atMs: 1, actor: 'kim', reason: 'stolen' }
    enrolled.set(till, { hostId: till, name: 'till-1', labels: {}, enrolledAtMs: 1, revoked })
    const token = await tokenFor({ autoApprovals: 1 })
    expect(await ask(token, till, 'till-9')).toMatchObject({
      kind: 'Waiting',
      message: 'this key is host till-1, revoked: stolen',
    })
  })

  it('gets no certificate by a decision of before once the host is revoked', async () => {
    const token = await tokenFor({ autoApprovals: 1 })
    await ask(token, till)
    const record = enrolled.get(till) as EnrolmentRecord
    enrolled.set(till, { ...record, revoked: { atMs: nowMs, actor: 'kim', reason: 'stolen' } })
    expect(await ask(token, till)).toEqual({ kind: 'Denied', reason: 'stolen' })
  })

  it('is forgotten after a day', async () => {
    const token = await tokenFor()
    await ask(token, till)
    nowMs += 24 * HOUR_MS
    expect(await ask(token, till)).toEqual({ kind: 'Refused' })
    expect(await orders.requests()).toEqual([])
  })
})
