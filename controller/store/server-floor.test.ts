import { jetstreamManager } from '@nats-io/jetstream'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer, NatsServerOptions } from '../../test/support/nats-server.ts'
import { controllerOf, openAdmin } from '../../test/support/nats-users.ts'
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
    server = await startNatsServer({ change: (config) => config.replace('sync_interval: always', '') })
  })
  afterAll(() => server.stop())

  it('is refused with the setting to change', async () => {
    const options = { ...(await controllerOf(server)), signal, logger }
    await expect(connectStore(options)).rejects.toMatchObject({
      code: 'StoreNotDurable',
      message: expect.stringContaining('sync_interval: always') as string,
    })
  })

  it('is refused as well when its monitoring address does not answer', async () => {
    const options = { ...(await controllerOf(server)), monitorUrl: 'http://127.0.0.1:9', signal, logger }
    await expect(connectStore(options)).rejects.toMatchObject({ code: 'StoreUnavailable' })
  })

  it('says which address did not answer, without its password', async () => {
    const nowhere = { natsUrl: 'nats://user:secret@127.0.0.1:9', firstConnectTimeoutMs: 50 }
    const attempt = connectStore({ ...(await controllerOf(server)), ...nowhere, signal, logger })
    await expect(attempt).rejects.toThrow(/127\.0\.0\.1:9.*check nats\.url/)
    await expect(attempt).rejects.not.toThrow(/secret/)
  })
})

describe('a server', () => {
  const opened: NatsServer[] = []
  afterEach(async () => {
    for (const server of opened.splice(0)) await server.stop()
  })

  async function start(options?: NatsServerOptions): Promise<NatsServer> {
    const server = await startNatsServer(options)
    opened.push(server)
    return server
  }

  it('without operators takes anybody, and is refused for it', async () => {
    const change = (config: string): string => config.replace(/^include .*$/m, '')
    const server = await start({ change, provisioned: false })
    const attempt = connectStore({ ...(await controllerOf(server)), signal, logger })
    await expect(attempt).rejects.toMatchObject({
      code: 'StoreNotOurs',
      message: expect.stringContaining('folder "nats"') as string,
    })
  })

  it('of another deployment does not get as far as a password', async () => {
    const [server, other] = [await start(), await start()]
    const options = { ...(await controllerOf(other)), natsUrl: server.url, firstConnectTimeoutMs: 50 }
    await expect(connectStore({ ...options, signal, logger })).rejects.toMatchObject({
      code: 'StoreUnavailable',
      message: expect.stringMatching(/self.signed|issuer|unable to verify/i) as string,
    })
  })

  it('without streams is refused with the command that makes them', async () => {
    const server = await start({ provisioned: false })
    const attempt = connectStore({ ...(await controllerOf(server)), signal, logger })
    await expect(attempt).rejects.toThrow(/PLAN, KV_fleets.*"bootfleet-controller provision"/)
  })

  it('with a stream that forgets is refused', async () => {
    const server = await start()
    const admin = await openAdmin(server)
    const { streams } = await jetstreamManager(admin)
    await streams.update('KV_grants', { max_age: 3_600_000_000_000 })
    await admin.close()
    const attempt = connectStore({ ...(await controllerOf(server)), signal, logger })
    await expect(attempt).rejects.toMatchObject({
      code: 'StoreNotDurable',
      message: expect.stringContaining('KV_grants') as string,
    })
  })
})
