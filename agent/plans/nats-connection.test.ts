import { createUser } from '@nats-io/nkeys'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { planSubject } from '../../proto/subjects.ts'
import { openTestNats } from '../../test/support/plan-stream.ts'
import type { TestNats } from '../../test/support/plan-stream.ts'
import { openTestAuthority } from '../testing/certificates.ts'
import type { TestAuthority } from '../testing/certificates.ts'
import { openNatsConnection } from './nats-connection.ts'

const HOST_ID = 'a'.repeat(26)
const DAY_MS = 24 * 60 * 60 * 1000
const patient = { timeout: 60_000, interval: 50 }
let authority: TestAuthority
let nats: TestNats

beforeEach(async () => {
  authority = openTestAuthority()
  nats = await openTestNats(authority)
})
afterEach(async () => {
  await nats.close()
  authority.close()
})

it('a connection that the server closed at the end of its user comes back with the renewed one, and hears on', async () => {
  const key = createUser()
  const userAt = (nowMs: number): Promise<string> => nats.userFor(HOST_ID, key.getPublicKey(), nowMs)
  // Made a day ago but for some seconds: it ends while we look.
  const ending = (): Promise<string> => userAt(Date.now() - DAY_MS + 8_000)
  let jwt = await ending()
  const keepEnding = setInterval(() => void ending().then((next) => (jwt = next)), 1_000)
  const material = { ...authority.issue({ kind: 'host', hostId: HOST_ID }), caPem: authority.caPem }
  const connection = await openNatsConnection({
    url: nats.url,
    hostId: HOST_ID,
    user: { jwt: () => jwt, seed: key.getSeed() },
    credentials: () => material,
  })
  clearInterval(keepEnding)
  const events: string[] = []
  void (async () => {
    for await (const { type } of connection.status()) events.push(type)
  })()
  const heard: string[] = []
  connection.subscribe(planSubject(HOST_ID), { callback: (_, message) => void heard.push(message.string()) })
  await expect.poll(() => events, patient).toContain('disconnect')
  expect(events).not.toContain('reconnect')
  jwt = await userAt(Date.now())
  await expect.poll(() => events, patient).toContain('reconnect')
  await expect.poll(() => connection.flush().then(() => 'heard', String), patient).toBe('heard')
  nats.connection.publish(planSubject(HOST_ID), 'after')
  await expect.poll(() => heard, patient).toEqual(['after'])
  await connection.close()
})
