import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import { controllerOf } from '../../test/support/nats-users.ts'
import { connectStore } from './store.ts'
import type { Store } from './store.ts'

const logger = pino({ level: 'silent' })
const { signal } = new AbortController()

test('tokens are kept beside enrolments, and only one of two controllers uses one', async () => {
  const server = await startNatsServer()
  const opened: Store[] = []
  onTestFinished(async () => {
    for (const store of opened) await store.close()
    await server.stop()
  })
  const open = async (): Promise<Store> => {
    const store = await connectStore({ ...(await controllerOf(server)), signal, logger })
    opened.push(store)
    return store
  }
  const [first, second] = [await open(), await open()]
  const token = {
    slot: 7,
    id: 'abcdefgh27',
    secretSha256: '0'.repeat(64),
    labels: { site: 'eu' },
    createdBy: 'kim',
    createdAtMs: 1,
    expiresAtMs: 2,
    uses: 1,
    autoApprovals: 0,
    seal: '',
    requests: [],
  }
  await first.tokens.put(token, signal)
  expect(await second.tokens.load(signal)).toEqual([token])
  expect((await first.load(signal)).enrolments).not.toContainEqual(expect.objectContaining({ slot: 7 }))
  await second.tokens.put({ ...token, uses: 2 }, signal)
  await expect(first.tokens.put({ ...token, uses: 3 }, signal)).rejects.toMatchObject({
    code: 'StoreConflict',
  })
  expect(await first.tokens.load(signal)).toMatchObject([{ uses: 2 }])
})
