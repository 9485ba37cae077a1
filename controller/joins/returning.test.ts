import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { AuditFact } from '../../proto/audit-entry.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import { openTurns } from '../turns.ts'
import { openJoinBook } from './join-book.ts'
import { openJoiningHosts } from './joining-hosts.ts'
import { openReturning } from './returning.ts'
import type { Reissued } from './returning.ts'
import { openTokenOrders } from './token-orders.ts'
import type { TokenOrders } from './token-orders.ts'
import type { TokenRecord } from './token-record.ts'
import { openTokenSeal } from './token-seal.ts'

const { seal, isSealed } = openTokenSeal(generateKeyPairSync('ed25519').privateKey)
const issued = { certificatePem: 'certificate 1', natsUserJwt: 'a.b.c' }
const HOUR_MS = 3_600_000
const till = 'a'.repeat(26)
const wish = { labels: {}, lifeMs: HOUR_MS, uses: 1, autoApprovals: 0, replaces: '', returning: true }

let nowMs: number
let stored: Map<number, TokenRecord>
let enrolled: EnrolmentRecord[]
let facts: AuditFact[]
let orders: TokenOrders
let comeBack: (hostId: string, natsUserPublicKey?: string) => Promise<Reissued | null>
let issues: number
let join: ReturnType<typeof openJoiningHosts>

beforeEach(() => {
  nowMs = 1_000_000
  stored = new Map()
  enrolled = [{ hostId: till, name: 'till-1', labels: {}, enrolledAtMs: 1 }]
  facts = []
  const keep = (fact: AuditFact): Promise<number> => Promise.resolve(facts.push(fact))
  const parts = {
    book: openJoinBook({
      load: async () => [...stored.values()],
      put: async (record) => void stored.set(record.slot, record),
      isSealed,
      // A new one each time, so that only what was stored counts.
      term: () => facts.length + stored.size + nowMs,
    }),
    inTurn: openTurns(),
    enrolments: () => enrolled,
    enrolmentOf: (hostId: string) => enrolled.find((record) => record.hostId === hostId) ?? null,
    admit: () => Promise.reject(new Error('nobody is let in here')),
    retire: () => Promise.reject(new Error('nobody is replaced here')),
    issue: () => Promise.resolve({ ...issued, certificateAuthorityPem: '', trustBundles: [] }),
    audit: { append: keep, refused: async (fact: AuditFact) => void (await keep(fact)) },
    now: () => nowMs,
  }
  orders = openTokenOrders({ ...parts, authoritySha256: () => Buffer.alloc(32), seal })
  join = openJoiningHosts(parts)
  issues = 0
  const back = openReturning({
    ...parts,
    issue: () => Promise.resolve({ ...issued, certificatePem: `certificate ${(issues += 1)}` }),
  })
  comeBack = (hostId, natsUserPublicKey = 'U') =>
    back({ hostId, natsUserPublicKey, certificateRequestPem: '', from: '192.0.2.1' })
})

describe('a host whose certificate counts no more', () => {
  it('comes back by its own key while an operator says so, and that is on record', async () => {
    const { text, token } = await orders.create(wish, 'kim')
    expect(text).toBe('')
    expect(await comeBack(till)).toEqual(issued)
    expect(facts).toEqual([
      {
        actor: `host/${till}`,
        event: 'Enrol',
        subject: `token=${token.id} name=till-1 from=192.0.2.1`,
        outcome: 'Done',
        message: 'aaaa-aaaa-aaaa-aaaa came back by its own key',
      },
    ])
  })

  it('stays out where nobody says so, once that has expired, and once it was taken back', async () => {
    expect(await comeBack(till)).toBeNull()
    const { token } = await orders.create(wish, 'kim')
    nowMs += HOUR_MS
    expect(await comeBack(till)).toBeNull()
    await orders.create(wish, 'kim')
    expect(await comeBack(till)).toEqual(issued)
    nowMs += 60_000
    const [open] = (await orders.tokens()).filter(({ id }) => id !== token.id)
    await orders.revoke({ id: open?.id ?? '', actor: 'kim', reason: 'all are back' })
    expect(await comeBack(till)).toBeNull()
  })

  it('stays out when it is revoked or was never enrolled, and that is on record', async () => {
    await orders.create(wish, 'kim')
    const revoked = { atMs: 2, actor: 'kim', reason: 'sold' }
    enrolled = enrolled.map((record) => ({ ...record, revoked }))
    expect(await comeBack(till)).toBeNull()
    expect(await comeBack('b'.repeat(26))).toBeNull()
    expect(facts.map(({ outcome, message }) => [outcome, message])).toEqual([
      ['Refused', 'it is revoked: sold'],
      ['Refused', 'this key is enrolled nowhere, and nobody comes back by it'],
    ])
  })

  it('does not come back by a token that lets others in, nor by one that the store made', async () => {
    await orders.create({ ...wish, returning: false }, 'kim')
    expect(await comeBack(till)).toBeNull()
    stored = new Map([...stored].map(([slot, token]) => [slot, { ...token, returning: true }]))
    nowMs += 1
    expect(await comeBack(till)).toBeNull()
  })
})

describe('a request to come back that is sent again and again', () => {
  it('gets what its host was given and nothing else within a minute, and is once on record', async () => {
    await orders.create(wish, 'kim')
    for (let time = 0; time < 50; time += 1) expect(await comeBack(till)).toEqual(issued)
    expect(issues).toBe(1)
    nowMs += 60_000
    expect(await comeBack(till)).toMatchObject({ certificatePem: 'certificate 2' })
    expect(await comeBack(till)).toMatchObject({ certificatePem: 'certificate 2' })
    expect(facts.map(({ outcome }) => outcome)).toEqual(['Done'])
  })

  it('does not keep its host from another NATS user', async () => {
    await orders.create(wish, 'kim')
    await comeBack(till, 'U1')
    expect(await comeBack(till, 'U2')).toMatchObject({ certificatePem: 'certificate 2' })
    expect(await comeBack(till, 'U1')).toMatchObject({ certificatePem: 'certificate 1' })
  })

  it('gets nothing once its host is revoked', async () => {
    await orders.create(wish, 'kim')
    await comeBack(till)
    enrolled = enrolled.map((record) => ({ ...record, revoked: { atMs: 2, actor: 'kim', reason: 'sold' } }))
    expect(await comeBack(till)).toBeNull()
  })

  it('is on record again where an operator lets hosts come back another time', async () => {
    await orders.create(wish, 'kim')
    await comeBack(till)
    nowMs += HOUR_MS
    await orders.create(wish, 'kim')
    await comeBack(till)
    expect(facts.map(({ outcome }) => outcome)).toEqual(['Done', 'Done'])
  })
})

it('lets no other host in, whatever secret it shows', async () => {
  const { token } = await orders.create(wish, 'kim')
  const claim = { tokenId: token.id, tokenSecret: new Uint8Array(32), name: 'till-2', from: '192.0.2.1' }
  const call = { ...claim, hostId: 'b'.repeat(26), natsUserPublicKey: 'U', certificateRequestPem: '' }
  expect(await join(call)).toEqual({ kind: 'Refused' })
})
