import { jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { controllerOf, openAdmin } from '../../test/support/nats-users.ts'
import type { GrantRecord, RolloutRecord } from '../rollout/records.ts'
import type { Write } from '../rollout/decision.ts'
import { connectStore } from './store.ts'
import type { Store } from './store.ts'

const { signal } = new AbortController()
const term = { term: 1, signal }

describe('forgetting a rollout on a real nats-server', () => {
  let server: NatsServer
  let connection: NatsConnection
  const opened: Store[] = []

  beforeAll(async () => {
    server = await startNatsServer()
    connection = await openAdmin(server)
  })
  afterAll(async () => {
    await connection.close()
    await server.stop()
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })

  async function open(): Promise<Store> {
    const logger = pino({ level: 'silent' })
    const store = await connectStore({ ...(await controllerOf(server)), signal, logger })
    opened.push(store)
    await store.load(signal)
    return store
  }

  async function keysOf(stream: string, filter: string): Promise<number> {
    const manager = await jetstreamManager(connection)
    const { state } = await manager.streams.info(stream, { subjects_filter: filter })
    return Object.keys(state.subjects ?? {}).length
  }

  it('deletes grants and header for good, bears what is gone already, and can write them anew', async () => {
    const store = await open()
    const hostIds = Array.from({ length: 300 }, (_, index) => `host${index}`)
    const grants = hostIds.map((hostId) => grantWrite('old.1', hostId))
    await store.commit([...grants, rolloutWrite('old.1'), grantWrite('old.2', 'host0')], term)
    await store.commit([forget('old.1', [...hostIds, 'never-granted'])], term)
    await store.commit([forget('old.1', hostIds)], term)

    const other = await open()
    const records = await other.load(signal)
    expect(records.rollouts).toEqual([])
    expect(records.grants).toEqual([grant('old.2', 'host0')])
    expect(await keysOf('KV_grants', '$KV.grants.old.1.*')).toBe(0)
    expect(await keysOf('KV_rollouts', '$KV.rollouts.old.1')).toBe(0)
    await store.commit([grantWrite('old.1', 'host0')], term)
    expect((await other.load(signal)).grants).toContainEqual(grant('old.1', 'host0'))
  })

  it('keeps the header while grants of the rollout are left', async () => {
    const store = await open()
    await store.commit([rolloutWrite('part.1'), grantWrite('part.1', 'host0')], term)
    await store.commit([forget('part.1', ['host0'], false)], term)
    expect(await keysOf('KV_rollouts', '$KV.rollouts.part.1')).toBe(1)
    expect(await keysOf('KV_grants', '$KV.grants.part.1.*')).toBe(0)
  })

  it('does not delete what another wrote since', async () => {
    const first = await open()
    await first.commit([grantWrite('raced.1', 'host0')], term)
    const second = await open()
    await second.commit([grantWrite('raced.1', 'host0')], term)
    await first.commit([forget('raced.1', ['host0'])], term)
    expect((await first.load(signal)).grants).toContainEqual(grant('raced.1', 'host0'))
  })

  it('takes the marker of a deleted key for no value, and can write the key again', async () => {
    const store = await open()
    await store.commit([grantWrite('marked.1', 'host0')], term)
    await (await new Kvm(connection).open('grants')).delete('marked.1.host0')
    const { grants } = await store.load(signal)
    expect(grants.map(({ rolloutId }) => rolloutId)).not.toContain('marked.1')
    await store.commit([grantWrite('marked.1', 'host0')], term)
    expect((await store.load(signal)).grants).toContainEqual(grant('marked.1', 'host0'))
  })

  it('says that the store is not to be reached, and leaves the header', async () => {
    const store = await open()
    await store.commit([rolloutWrite('cut.1'), grantWrite('cut.1', 'host0')], term)
    await store.close()
    await expect(store.commit([forget('cut.1', ['host0'])], term)).rejects.toMatchObject({
      code: 'StoreUnavailable',
    })
    expect(await keysOf('KV_rollouts', '$KV.rollouts.cut.1')).toBe(1)
  })
})

function forget(rolloutId: string, hostIds: readonly string[], withHeader = true): Write {
  return { kind: 'forgetRollout', record: { rolloutId, hostIds, withHeader } }
}

function grantWrite(rolloutId: string, hostId: string): Write {
  return { kind: 'grant', record: grant(rolloutId, hostId) }
}

function grant(rolloutId: string, hostId: string): GrantRecord {
  return {
    rolloutId,
    hostId,
    generation: 1,
    attempt: 1,
    direction: 'Forward',
    image: null,
    pinned: false,
    failedBefore: false,
    stageUntilMs: null,
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
    phase: 'Succeeded',
    message: '',
    grantedAtMs: 1,
    endedAtMs: 2,
  }
}

function rolloutWrite(id: string): Write {
  const record: RolloutRecord = {
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
  return { kind: 'rollout', record }
}
