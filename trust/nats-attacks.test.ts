import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeUser } from '@nats-io/jwt'
import { createAccount, createUser, fromPublic } from '@nats-io/nkeys'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { inboxOf } from '../proto/subjects.ts'
import { openNatsBench } from '../test/support/nats-bench.ts'
import type { NatsBench } from '../test/support/nats-bench.ts'
import { parseSigner } from './nats-keys.ts'

const [hostA, hostB] = ['a'.repeat(26), 'b'.repeat(26)] as const
const DAY_MS = 24 * 60 * 60 * 1000
const patient = { timeout: 60_000, interval: 50 }

let bench: NatsBench
beforeAll(async () => {
  bench = await openNatsBench()
  await bench.publish(hostA, 'plan of a')
  await bench.publish(hostB, 'plan of b')
}, 60_000)
afterAll(() => bench.close())
afterEach(() => bench.closeHosts())

const get = (host: string): string => `$JS.API.DIRECT.GET.PLAN.plan.${host}`

/** Who answers is told by the answer; nobody may leave it with none but by a refusal. */
async function refusals(host: NatsConnection, subjects: readonly string[], payload = ''): Promise<void> {
  for (const subject of subjects) {
    const before = bench.violations(host).length
    host.publish(subject, payload, { reply: `${inboxOf(hostA)}.x` })
    await expect
      .poll(() => bench.violations(host).slice(before).join(), patient)
      .toContain(`Permissions Violation for Publish to "${subject}"`)
  }
}

describe('a host', () => {
  it('gets its own plan, as it is published and when it asks', async () => {
    const host = await bench.connectHost(hostA)
    const seen = bench.listen(host, `plan.${hostA}`)
    await host.flush()
    expect((await host.request(get(hostA))).string()).toBe('plan of a')
    await bench.publish(hostA, 'plan of a')
    await expect.poll(() => seen, patient).toEqual(['plan of a'])
  })

  it('cannot hear what is meant for another, nor anything by a wildcard', async () => {
    const host = await bench.connectHost(hostA)
    const own = inboxOf(hostA)
    const wanted = [
      `plan.${hostB}`,
      'plan.*',
      'plan.>',
      '>',
      '*',
      '*.*',
      '*.>',
      `*.${hostA}`,
      '$JS.>',
      '$SYS.>',
    ]
    const inboxes = ['_INBOX.>', `${inboxOf(hostB)}.>`, `${inboxOf('controller')}.>`, own, '_INBOX.*.>']
    for (const subject of [...wanted, ...inboxes, '$KV.>', '$KV.grants.>']) {
      const before = bench.violations(host).length
      for (const options of [{}, { queue: 'q' }]) host.subscribe(subject, { ...options, callback: () => {} })
      await expect.poll(() => bench.violations(host).slice(before), patient).toHaveLength(2)
    }
  })

  it('cannot ask for the plan of another, in any form', async () => {
    const host = await bench.connectHost(hostA)
    const last = JSON.stringify({ last_by_subj: `plan.${hostB}` })
    await refusals(
      host,
      [get(hostB), get('*'), get('>'), '$JS.API.DIRECT.GET.PLAN', '$JS.API.STREAM.MSG.GET.PLAN'],
      last,
    )
    for (const payload of [last, '{"seq":2}', JSON.stringify({ multi_last: ['plan.*'] })]) {
      const answer = await host.request(get(hostA), payload).catch(() => null)
      expect(answer?.string() ?? '').not.toContain('plan of b')
    }
  })

  it('cannot publish: no plan, no value, no acknowledgement, no answer in the place of the server', async () => {
    const host = await bench.connectHost(hostA)
    const last = await bench.lastSequence()
    await refusals(host, [
      `plan.${hostA}`,
      `plan.${hostB}`,
      `$KV.fleets.x`,
      '$JS.ACK.PLAN.x.1.1.1.1.0',
      'anything',
    ])
    const replies: string[] = []
    host.subscribe(`plan.${hostA}`, { callback: (_, message) => void replies.push(message.reply ?? '') })
    await host.flush()
    await bench.publish(hostA, 'plan of a')
    await expect.poll(() => replies.length, patient).toBe(1)
    const asked = replies.filter((reply) => reply !== '')
    await refusals(host, asked, '{"stream":"PLAN","seq":99}')
    expect(await bench.lastSequence()).toBe(last + 1)
  })

  it('cannot make, list, read, empty or delete streams and consumers', async () => {
    const host = await bench.connectHost(hostA)
    const streams = ['INFO.PLAN', 'NAMES', 'LIST', 'CREATE.X', 'UPDATE.PLAN', 'DELETE.PLAN', 'PURGE.PLAN']
    const consumers = [
      'CREATE.PLAN',
      'CREATE.PLAN.c',
      'DURABLE.CREATE.PLAN.c',
      'NAMES.PLAN',
      'LIST.PLAN',
      'MSG.NEXT.PLAN.c',
    ]
    await refusals(host, ['$JS.API.INFO', ...streams.map((name) => `$JS.API.STREAM.${name}`)])
    await refusals(
      host,
      consumers.map((name) => `$JS.API.CONSUMER.${name}`),
    )
    await refusals(host, ['$SYS.REQ.SERVER.PING', '$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.ACCOUNT.PING.CONNZ'])
    expect(bench.violations(host)).toHaveLength(1 + streams.length + consumers.length + 3)
  })

  it('cannot have an answer stored as the plan of another: its account owns no stream', async () => {
    const [host, other] = [await bench.connectHost(hostA), await bench.connectHost(hostB)]
    const before = await bench.lastSequence()
    host.publish(get(hostA), '', { reply: `plan.${hostB}` })
    await host.flush()
    expect((await other.request(get(hostB))).string()).toBe('plan of b')
    expect(await bench.lastSequence()).toBe(before)
  })

  it('is not made with a name that is no id, or for a key that is none', async () => {
    const key = createUser().getPublicKey()
    for (const name of ['*', '>', '', 'a.b', `${hostA}.>`, hostA.toUpperCase()]) {
      await expect(bench.userFor(name, key, Date.now())).rejects.toThrow(/is no host id/)
    }
    // A key's last letter is an A now and then.
    const changed = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
    for (const other of ['', '*', createAccount().getPublicKey(), changed, `${key}A`]) {
      await expect(bench.userFor(hostA, other, Date.now())).rejects.toMatchObject({ code: 'RequestInvalid' })
    }
  })
})

describe('the server turns away', () => {
  async function signer() {
    const path = join(bench.server.trustDir, 'controller/nats-hosts.key')
    return parseSigner(await readFile(path, 'utf8'), path)
  }

  it('a user that has ended, and cuts it off at its end', async () => {
    await expect(bench.connectHost(hostA, { nowMs: Date.now() - DAY_MS - 1_000 })).rejects.toThrow(/Auth/i)
    const host = await bench.connectHost(hostA, { nowMs: Date.now() - DAY_MS + 12_000, reconnect: false })
    expect(await host.closed()).toMatchObject({ message: expect.stringMatching(/expired/i) as string })
  })

  it('a user that gives itself permissions, though the key may make hosts', async () => {
    const { account, key } = await signer()
    const user = createUser()
    const wide = { pub: { allow: ['>'] }, sub: { allow: ['>'] }, subs: -1, data: -1, payload: -1 }
    const options = { signer: key, scopedUser: true }
    const jwt = await encodeUser(hostA, user, fromPublic(account), wide, options)
    await expect(bench.connect({ jwt, seed: user.getSeed() })).rejects.toThrow(/Auth/i)
    const bearer = await encodeUser(hostA, user, fromPublic(account), { bearer_token: true }, options)
    await expect(bench.connect({ jwt: bearer, seed: user.getSeed() })).rejects.toThrow(/Auth/i)
  })

  it('a user of the key that makes hosts in the account of the controller', async () => {
    const { key } = await signer()
    const control = (await bench.controllerSigner()).account
    const user = createUser()
    const jwt = await encodeUser('x', user, fromPublic(control), {}, { signer: key, scopedUser: true })
    await expect(bench.connect({ jwt, seed: user.getSeed() })).rejects.toThrow(/Auth/i)
  })

  it('a user of another deployment, and one whose key is not held', async () => {
    const user = createUser()
    const foreign = { account: createAccount().getPublicKey(), key: createAccount() }
    const options = { signer: foreign.key, scopedUser: true }
    const jwt = await encodeUser(hostA, user, fromPublic(foreign.account), {}, options)
    await expect(bench.connect({ jwt, seed: user.getSeed() })).rejects.toThrow(/Auth/i)
    const good = await bench.userFor(hostA, user.getPublicKey(), Date.now())
    await expect(bench.connect({ jwt: good, seed: createUser().getSeed() })).rejects.toThrow(/Auth/i)
  })

  it('a user that was made by the own key of the account, which no template holds', async () => {
    const own = createAccount()
    const { account, key } = await bench.moveHostsTo(own)
    const [plain, scoped] = [createUser(), createUser()]
    const wide = { pub: { allow: ['>'] }, sub: { allow: ['>'] } }
    const jwt = await encodeUser(hostA, plain, own, wide)
    await expect(bench.connect({ jwt, seed: plain.getSeed() })).rejects.toThrow(/Auth/i)
    const options = { signer: key, scopedUser: true }
    const held = await encodeUser(hostA, scoped, fromPublic(account), {}, options)
    await bench.connect({ jwt: held, seed: scoped.getSeed() })
  })
})
