import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { controllerOf, openAdmin } from '../../test/support/nats-users.ts'
import type { FleetRecord, GrantRecord, RolloutRecord } from '../rollout/records.ts'
import type { Write } from '../rollout/decision.ts'
import { connectStore } from './store.ts'
import type { Store } from './store.ts'

const logger = pino({ level: 'silent' })
const { signal } = new AbortController()
const hostId = 'a'.repeat(26)

describe('the store on a real nats-server', () => {
  let server: NatsServer
  let admin: NatsConnection
  const opened: Store[] = []

  beforeAll(async () => {
    server = await startNatsServer()
    admin = await openAdmin(server)
  })
  afterAll(async () => {
    await admin.close()
    await server.stop()
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })

  async function open(): Promise<Store> {
    const store = await connectStore({ ...(await controllerOf(server)), signal, logger })
    opened.push(store)
    return store
  }

  it('gives back what was committed, with the term of the leader in the rollout', async () => {
    const store = await open()
    await store.load(signal)
    const writes = [rolloutWrite('round.1'), grantWrite('round.1'), fleetWrite('round', 1)]
    await store.commit(writes, { term: 7, signal })
    await store.enrol({ hostId, name: 'till', labels: { site: 'eu' }, enrolledAtMs: 1 }, signal)

    const records = await (await open()).load(signal)

    expect(records.fleets).toContainEqual(fleet('round', 1))
    expect(records.grants).toContainEqual(grant('round.1'))
    expect(records.rollouts).toContainEqual({ ...rollout('round.1'), term: 7 })
    expect(records.enrolments).toEqual([{ hostId, name: 'till', labels: { site: 'eu' }, enrolledAtMs: 1 }])
  })

  it('says which streams a server lost, and goes on when they are made again, all on one connection', async () => {
    const store = await open()
    const manager = await jetstreamManager(admin)
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
    const refusal = {
      code: 'StoreUnavailable',
      message: expect.stringContaining('bootfleet-controller provision') as string,
    }
    await expect(store.lease.read(signal)).rejects.toMatchObject(refusal)
    await expect(store.load(signal)).rejects.toMatchObject(refusal)
    await expect(open()).rejects.toMatchObject(refusal)
    await server.provision()
    expect(await store.lease.read(signal)).toBeNull()
    expect(await store.load(signal)).toMatchObject({ fleets: [], rollouts: [], enrolments: [] })
    await store.commit([fleetWrite('anew', 1)], { term: 1, signal })
    expect((await store.load(signal)).fleets).toContainEqual(fleet('anew', 1))
  })

  it('enrols a host again after a conflict', async () => {
    const [first, second] = [await open(), await open()]
    await first.load(signal)
    await second.load(signal)
    const record = { hostId: 'c'.repeat(26), name: 'till', labels: {}, enrolledAtMs: 1 }
    await first.enrol(record, signal)
    await expect(second.enrol(record, signal)).rejects.toMatchObject({ code: 'StoreConflict' })
    await second.enrol({ ...record, name: 'desk' }, signal)
    expect((await first.load(signal)).enrolments).toContainEqual({ ...record, name: 'desk' })
  })

  it('refuses a write over a value that another wrote, and takes it after loading again', async () => {
    const [first, second] = [await open(), await open()]
    await first.load(signal)
    await second.load(signal)
    await first.commit([fleetWrite('swap', 1)], { term: 1, signal })

    await expect(second.commit([fleetWrite('swap', 2)], { term: 1, signal })).rejects.toMatchObject({
      code: 'StoreConflict',
    })
    await second.load(signal)
    await second.commit([fleetWrite('swap', 3)], { term: 1, signal })
    expect((await first.load(signal)).fleets).toContainEqual(fleet('swap', 3))
  })

  it('writes fleets first and rollouts last, so that a failure in between leaves a safe prefix', async () => {
    const [first, second] = [await open(), await open()]
    await first.load(signal)
    await second.load(signal)
    await first.commit([grantWrite('order.1')], { term: 1, signal })

    const writes = [rolloutWrite('order.1'), grantWrite('order.1'), fleetWrite('order', 9)]
    await expect(second.commit(writes, { term: 1, signal })).rejects.toMatchObject({ code: 'StoreConflict' })

    const records = await first.load(signal)
    expect(records.fleets).toContainEqual(fleet('order', 9))
    expect(records.rollouts.map(({ id }) => id)).not.toContain('order.1')
  })

  it('keeps the last of two writes of one key in one commit', async () => {
    const store = await open()
    await store.load(signal)
    await store.commit([fleetWrite('twice', 1), fleetWrite('twice', 2)], { term: 1, signal })
    await store.commit([fleetWrite('twice', 3)], { term: 1, signal })
    expect((await store.load(signal)).fleets).toContainEqual(fleet('twice', 3))
  })

  it('sets a damaged value aside and can overwrite it', async () => {
    const store = await open()
    await admin.request('$KV.fleets.damaged', '{"fleet":')

    expect((await store.load(signal)).fleets.map(({ fleet: name }) => name)).not.toContain('damaged')
    await store.commit([fleetWrite('damaged', 1)], { term: 1, signal })
    expect((await store.load(signal)).fleets).toContainEqual(fleet('damaged', 1))
  })

  it('loads and commits more values than fit its window', async () => {
    const store = await open()
    await store.load(signal)
    const writes = Array.from({ length: 1_500 }, (_, index) => fleetWrite(`many-${index}`, index))
    await store.commit(writes, { term: 1, signal })
    const { fleets } = await (await open()).load(signal)
    expect(fleets.filter(({ fleet: name }) => name.startsWith('many-'))).toHaveLength(1_500)
  })

  it('still has everything it acknowledged after nats-server was killed, on the same connection', async () => {
    const store = await open()
    await store.load(signal)
    await store.commit([fleetWrite('cut', 1)], { term: 1, signal })
    await server.kill9()
    await server.restart()
    await vi.waitFor(
      async () => expect((await store.load(signal)).fleets).toContainEqual(fleet('cut', 1)),
      90_000,
    )
    await store.commit([fleetWrite('cut', 2)], { term: 1, signal })
    expect((await store.load(signal)).fleets).toContainEqual(fleet('cut', 2))
  })
})

function fleet(name: string, generation: number): FleetRecord {
  return {
    fleet: name,
    generation,
    stable: null,
    denied: [],
    allowed: [],
    halted: null,
    log: [],
    rolloutId: null,
  }
}

function fleetWrite(name: string, generation: number): Write {
  return { kind: 'fleet', record: fleet(name, generation) }
}

function grant(rolloutId: string): GrantRecord {
  return {
    rolloutId,
    hostId,
    generation: 1,
    attempt: 1,
    direction: 'Forward',
    image: null,
    pinned: false,
    failedBefore: false,
    stageUntilMs: 5,
    activateUntilMs: null,
    bootIdBefore: null,
    brokenBefore: false,
    activateGrantedAtMs: null,
    retries: { download: 0, stage: 0 },
    notBeforeMs: null,
    failures: 0,
    retried: null,
    inconclusive: 0,
    endBy: null,
    phase: 'Granted',
    message: '',
    grantedAtMs: 1,
    endedAtMs: null,
  }
}

function grantWrite(rolloutId: string): Write {
  return { kind: 'grant', record: grant(rolloutId) }
}

function rollout(id: string): RolloutRecord {
  return {
    id,
    fleet: 'edge',
    generation: 1,
    revision: 'r',
    commit: 'c',
    image: { repository: 'a/b', digest: 'sha256:1', version: '1', manifests: { amd64: 'sha256:2' } },
    from: null,
    startedAtMs: 1,
    populationSize: 1,
    strategy: {
      maxUnavailable: { kind: 'percent', percent: 10 },
      deadlines: { downloadMs: 1, activateMs: 1, healthMs: 1, waveMs: 1 },
      health: { units: [], http: [], checks: [], greenboot: false, reachController: false, stableForMs: 0 },
      analysis: [],
      rollback: { scope: 'UpdatedHosts', maxUnavailable: { kind: 'count', count: 1 }, windows: 'Respect' },
      retry: { limit: 0, on: [], backoff: { baseMs: 0, factor: 1, maxMs: 0 } },
    },
    waves: [],
    state: { kind: 'Progressing' },
    log: [],
    term: 0,
  }
}

function rolloutWrite(id: string): Write {
  return { kind: 'rollout', record: rollout(id) }
}
