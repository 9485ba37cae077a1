import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { requireVersion } from './server-floor.ts'
import { connectStore } from './store.ts'

const logger = pino({ level: 'silent' })
const { signal } = new AbortController()

describe('the version floor', () => {
  it.each(['2.12.12', '2.12.30', '2.14.3', '2.15.0', '2.15.1-beta', '3.0.0'])('takes %s', (version) => {
    expect(() => requireVersion(version)).not.toThrow()
  })

  it.each(['2.9.10', '2.10.27', '2.11.99', '2.12.11', '2.13.9', '2.14.2', 'unknown'])(
    'refuses %s and says what to install',
    (version) => {
      expect(() => requireVersion(version)).toThrow(/2\.14\.3 or newer.*upgrade nats-server/)
    },
  )
})

describe('a server that acknowledges before it syncs', () => {
  let server: NatsServer
  beforeAll(async () => {
    server = await startNatsServer({ syncAlways: false })
  })
  afterAll(() => server.stop())

  it('is refused with the setting to change', async () => {
    const options = { natsUrl: server.url, monitorUrl: server.monitorUrl, signal, logger }
    await expect(connectStore(options)).rejects.toMatchObject({
      code: 'StoreNotDurable',
      message: expect.stringContaining('sync_interval: always') as string,
    })
  })

  it('is refused as well when its monitoring address does not answer', async () => {
    const options = { natsUrl: server.url, monitorUrl: 'http://127.0.0.1:9', signal, logger }
    await expect(connectStore(options)).rejects.toMatchObject({ code: 'StoreUnavailable' })
  })
})

it('says which address did not answer, without its password', async () => {
  const attempt = connectStore({
    natsUrl: 'nats://user:secret@127.0.0.1:9',
    monitorUrl: 'http://127.0.0.1:9',
    signal,
    logger,
    firstConnectTimeoutMs: 50,
  })
  await expect(attempt).rejects.toThrow(/127\.0\.0\.1:9.*check nats\.url/)
  await expect(attempt).rejects.not.toThrow(/secret/)
})
