import pino from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createUser, fromPublic } from '@nats-io/nkeys'
import { encodeUser } from '@nats-io/jwt'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { controllerOf } from '../../test/support/nats-users.ts'
import { parseSigner } from '../../trust/nats-keys.ts'
import { connectNats } from './nats.ts'

const patient = { timeout: 60_000, interval: 50 }
let server: NatsServer

beforeAll(async () => {
  server = await startNatsServer()
})
afterAll(() => server.stop())

it('the connection goes on with a new user when the server closes it at the end of the one before', async () => {
  const path = join(server.trustDir, 'controller/nats-controller.key')
  const { account, key: signer } = parseSigner(await readFile(path, 'utf8'), path)
  let connected = false
  let mintedSince = 0
  const mint = async (): Promise<{ jwt: string; seed: Uint8Array }> => {
    if (connected) mintedSince += 1
    const user = createUser()
    const exp = Math.floor(Date.now() / 1000) + (connected ? 3_600 : 8)
    const options = { signer, scopedUser: true, exp }
    return {
      jwt: await encodeUser('controller', user, fromPublic(account), {}, options),
      seed: user.getSeed(),
    }
  }
  const nats = await controllerOf(server)
  const connection = await connectNats({
    ...nats,
    identity: { ...nats.identity, mint },
    userFreshMs: 0,
    logger: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  })
  connected = true
  const events: string[] = []
  void (async () => {
    for await (const { type } of connection.status()) events.push(type)
  })()
  await expect.poll(() => events, patient).toContain('reconnect')
  expect(mintedSince).toBeGreaterThan(0)
  await connection.flush()
  await connection.close()
})
