import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { fingerprintOf, parseJoinToken } from '../../proto/join-token.ts'
import { recordOf } from '../enrolment.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import { openTurns } from '../turns.ts'
import { openJoinBook } from './join-book.ts'
import { openJoiningHosts } from './joining-hosts.ts'
import type { JoinOutcome } from './joining-hosts.ts'
import { retiredName } from './replacing.ts'
import { openTokenOrders } from './token-orders.ts'
import type { TokenOrders } from './token-orders.ts'
import type { TokenRecord } from './token-record.ts'
import { openTokenSeal } from './token-seal.ts'

const [old, fresh] = ['a'.repeat(26), 'b'.repeat(26)]
const nowMs = 1_000_000
const labels = { site: 'eu', rack: '3' }
const wish = { labels: { rack: '4' }, lifeMs: 60_000, uses: 1, autoApprovals: 0, replaces: 'till-17' }
const decision = { request: fresh, name: '', actor: 'kim', reason: 'new mainboard' }

let enrolled: Map<string, EnrolmentRecord>
let stored: TokenRecord[]
let steps: string[]
let fails: 'nothing' | 'admit'
let orders: TokenOrders
let join: (hostId: string, text: string) => Promise<JoinOutcome>

beforeEach(() => {
  enrolled = new Map([[old, { hostId: old, name: 'till-17', labels, enrolledAtMs: 1 }]])
  ;[stored, steps, fails] = [[], [], 'nothing']
  const { seal, isSealed } = openTokenSeal(generateKeyPairSync('ed25519').privateKey)
  const parts = {
    book: openJoinBook({
      load: () => Promise.resolve(stored),
      put: async (record) => void (stored[record.slot] = record),
      isSealed,
      term: () => 1,
    }),
    inTurn: openTurns(),
    enrolments: () => [...enrolled.values()],
    admit: async (host: Pick<EnrolmentRecord, 'hostId' | 'name' | 'labels'>) => {
      if (fails === 'admit') throw new Error('killed')
      enrolled.set(host.hostId, recordOf([...enrolled.values()], host, nowMs))
      steps.push(`admit ${host.name}`)
    },
    issue: () =>
      Promise.resolve({ certificatePem: '', certificateAuthorityPem: '', trustBundles: [], natsUserJwt: '' }),
    audit: { append: () => Promise.resolve(1), refused: () => Promise.resolve() },
    now: () => nowMs,
  }
  orders = openTokenOrders({
    ...parts,
    authoritySha256: () => Buffer.alloc(32),
    seal,
    retire: async ({ replaced, actor, reason }) => {
      const record = enrolled.get(replaced.hostId) as EnrolmentRecord
      enrolled.set(replaced.hostId, {
        ...record,
        name: retiredName(replaced),
        revoked: { atMs: nowMs, actor, reason },
      })
      steps.push(`retire ${replaced.name}: ${reason}`)
    },
  })
  const joining = openJoiningHosts(parts)
  join = (hostId, text) => {
    const token = parseJoinToken(text)
    if (token === null) throw new Error('no token')
    return joining({
      tokenId: token.id,
      tokenSecret: token.secret,
      hostId,
      natsUserPublicKey: 'U',
      name: 'whatever',
      from: '192.0.2.1',
      certificateRequestPem: '',
    })
  }
})

describe('new hardware', () => {
  it('takes name and labels of the host before, which is cut off first', async () => {
    const { text, token } = await orders.create(wish, 'kim')
    expect(token).toMatchObject({ labels: { site: 'eu', rack: '4' }, replaces: { hostId: old } })
    expect(await join(fresh, text)).toMatchObject({
      kind: 'Waiting',
      message: `takes the place of host till-17, whose key ${fingerprintOf(old)} is revoked by that`,
    })
    expect(await orders.requests()).toMatchObject([{ name: 'till-17' }])
    await orders.approve(decision)
    expect(steps).toEqual([`retire till-17: replaced by ${fingerprintOf(fresh)}`, 'admit till-17'])
    expect(enrolled.get(fresh)).toMatchObject({ name: 'till-17', labels: { site: 'eu', rack: '4' } })
    expect(enrolled.get(old)).toMatchObject({ name: `till-17.replaced-aaaaaaaa`, revoked: { actor: 'kim' } })
    expect(await join(fresh, text)).toMatchObject({ kind: 'Admitted', name: 'till-17' })
  })

  it('is approved again where that was cut off half-way', async () => {
    const { text } = await orders.create(wish, 'kim')
    await join(fresh, text)
    fails = 'admit'
    await expect(orders.approve(decision)).rejects.toThrow('killed')
    fails = 'nothing'
    await orders.approve(decision)
    expect(enrolled.get(fresh)).toMatchObject({ name: 'till-17' })
  })

  it('takes no other name, and is not the host that it replaces', async () => {
    const { text } = await orders.create(wish, 'kim')
    await join(fresh, text)
    await expect(orders.approve({ ...decision, name: 'till-18' })).rejects.toMatchObject({
      code: 'RequestInvalid',
      message: expect.stringContaining('takes the place of till-17'),
    })
    const again = await orders.create(wish, 'kim')
    expect(await join(old, again.text)).toMatchObject({ message: 'this key is host till-17 already' })
    await expect(orders.approve({ ...decision, request: old })).rejects.toMatchObject({ code: 'Conflict' })
    expect(steps).toEqual([])
  })

  it.each([
    [{ replaces: 'till-99' }, 'NotFound', /there is no such host; "bootfleet get hosts"/],
    [{ uses: 2 }, 'RequestInvalid', /one host takes its place/],
    [{ autoApprovals: 1 }, 'RequestInvalid', /a person lets it in/],
  ])('gets no token for %o', async (changes, code, message) => {
    await expect(orders.create({ ...wish, ...changes }, 'kim')).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
  })

  it('gets one by the id of the host, and what it promises cannot be changed in the store', async () => {
    const { token, text } = await orders.create({ ...wish, replaces: old }, 'kim')
    expect(token.replaces).toEqual({ hostId: old, name: 'till-17' })
    const { replaces: _replaces, ...without } = token
    const { isSealed, seal } = openTokenSeal(generateKeyPairSync('ed25519').privateKey)
    const sealed = { ...token, seal: seal(token) }
    expect([isSealed(sealed), isSealed({ ...without, seal: sealed.seal })]).toEqual([true, false])
    expect(text).not.toBe('')
  })
})

it('a retired name is one that hosts may have, however long the name was', () => {
  const name = retiredName({ hostId: old, name: 'x'.repeat(63) })
  expect(name).toMatch(/^x{45}\.replaced-a{8}$/)
  expect(name.length).toBeLessThanOrEqual(63)
})
