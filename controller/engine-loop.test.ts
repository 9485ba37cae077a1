import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { waveOf, withDefaults } from './desired-state/strategy-defaults.ts'
import { EngineLoop } from './engine-loop.ts'
import type { DecisionStore, PlanPublisher } from './engine-loop.ts'
import { ControllerError } from './errors.ts'
import type { EnrolmentRecord } from './rollout/records.ts'
import type { HostReport } from './rollout/report.ts'
import type { RolloutEvent } from './rollout/events.ts'
import type { WantedFleet } from './rollout/wanted.ts'
import type { Write } from './rollout/decision.ts'

const logger = pino({ level: 'silent' })
const hostId = 'b'.repeat(26)
const enrolment: EnrolmentRecord = { hostId, name: 'till', labels: {}, enrolledAtMs: 1 }

type World = {
  readonly loop: EngineLoop
  /** What happened outside, in order. */
  readonly log: string[]
  readonly writes: Write[]
  readonly measures: string[]
  failNextCommit: ControllerError | Error | null
  hold: Promise<void> | null
  newestTerm: number
  readonly run: () => { readonly ended: Promise<void>; readonly stop: () => Promise<void> }
}

function createWorld(): World {
  const log: string[] = []
  const writes: Write[] = []
  const store: DecisionStore = {
    async load() {
      log.push('load')
      const of = <Kind extends Write['kind']>(kind: Kind) => [
        ...new Map(
          writes.filter((write) => write.kind === kind).map(({ record }) => [keyOf(record), record]),
        ).values(),
      ]
      return {
        fleets: of('fleet'),
        rollouts: of('rollout'),
        grants: of('grant'),
        hosts: of('host'),
        enrolments: [enrolment],
        everyFleet: null,
      } as Awaited<ReturnType<DecisionStore['load']>>
    },
    async commit(committed) {
      await world.hold
      const failure = world.failNextCommit
      world.failNextCommit = null
      if (failure !== null) {
        log.push('commit fails')
        throw failure
      }
      log.push(`commit ${committed.map(({ kind }) => kind).join(' ')}`)
      writes.push(...committed)
    },
  }
  const publisher: PlanPublisher = {
    get newestTerm() {
      return world.newestTerm
    },
    async publish(intents) {
      log.push(`publish ${intents.length}`)
      return intents.length
    },
    renew: () => Promise.resolve(0),
    forget: (host) => void log.push(`forget ${host}`),
    async catchUp(host) {
      log.push(`catch up ${host}`)
      return 0
    },
  }
  const loop = new EngineLoop({
    store,
    openPublisher: () => Promise.resolve(publisher),
    term: 1,
    logger,
    onChange: () => undefined,
    onMeasures: (measures) => void world.measures.push(...measures.map(({ analysis }) => analysis.name)),
    onNewerTerm: (term) => log.push(`newer ${term}`),
    connectedHosts: () => [hostId],
  })
  const world: World = {
    loop,
    log,
    writes,
    measures: [],
    failNextCommit: null,
    hold: null,
    newestTerm: 0,
    run() {
      const stop = new AbortController()
      const ended = loop.run(stop.signal)
      return {
        ended,
        async stop() {
          stop.abort()
          await ended
        },
      }
    },
  }
  return world
}

function keyOf(record: Write['record']): string {
  const { rolloutId, hostId: host, id, fleet } = { ...record } as Partial<Record<string, unknown>>
  return JSON.stringify([rolloutId, host, id, fleet])
}

function report(bootId: string): RolloutEvent {
  const content: HostReport = {
    plan: null,
    phase: 'Idle',
    bootedDigest: null,
    bootedManifestDigest: null,
    bootedVersion: '',
    defaultDigest: null,
    targetDigest: null,
    bootId,
    health: { verdict: 'Unknown', failedChecks: [] },
    failure: null,
    architecture: 'amd64',
    deniedDigests: [],
    etcConflicts: [],
    phaseEnteredAtMs: 1,
  }
  return { kind: 'report', hostId, report: content }
}

function wanted(): RolloutEvent {
  const digest = `sha256:${'a'.repeat(64)}`
  const amount = { kind: 'percent', percent: 100 } as const
  const limit = { max: { kind: 'count', count: 0 }, minAttempted: 1 } as const
  const fleet: WantedFleet = {
    name: 'edge',
    selector: { kind: 'all' },
    suspend: false,
    revision: 'f'.repeat(64),
    image: { repository: 'r.example/os', digest, version: '1', manifests: { amd64: digest } },
    follows: null,
    pins: [],
    requires: [],
    downgrade: 'Deny',
    deny: [],
    strategy: {
      ...withDefaults('default', {}),
      waves: [waveOf('all', amount)],
      maxUnavailable: amount,
      failureLimit: { firstWave: limit, later: limit },
      onFailure: { firstWave: 'Rollback', later: 'Pause' },
      deadlines: { downloadMs: 60_000, activateMs: 60_000, healthMs: 60_000, waveMs: 600_000 },
      health: { units: [], http: [], checks: [], greenboot: false, reachController: false, stableForMs: 0 },
    },
  }
  return { kind: 'wanted', commit: 'c0ffee', fleets: [fleet], hosts: [], freezes: [] }
}

describe('the engine loop', () => {
  it('resolves a report only after it is stored', async () => {
    const world = createWorld()
    const running = world.run()
    let release: () => void = () => undefined
    world.hold = new Promise((resolve) => (release = resolve))
    let stored = false
    const submitted = world.loop.submit(report('one')).then(() => (stored = true))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(stored).toBe(false)
    release()
    await submitted
    expect(world.writes.map(({ kind }) => kind)).toEqual(['host'])
    await running.stop()
  })

  it('stores a grant before it publishes the plan that carries it', async () => {
    const world = createWorld()
    const running = world.run()
    await world.loop.submit(report('one'))
    await world.loop.submit(wanted())
    await expect.poll(() => world.writes.some(({ kind }) => kind === 'grant')).toBe(true)
    await expect.poll(() => world.log.at(-1)).toBe('publish 1')
    const granted = world.log.findIndex((entry) => entry.includes('grant'))
    expect(world.log[granted + 1]).toBe('publish 1')
    await running.stop()
  })

  it('reads the store again after a conflict and loses no event, nor what git wants', async () => {
    const world = createWorld()
    const running = world.run()
    await world.loop.submit(wanted())
    world.failNextCommit = new ControllerError('StoreConflict', 'another wrote')
    await world.loop.submit(report('two'))
    expect(world.log.filter((entry) => entry === 'load')).toHaveLength(2)
    expect(world.writes).toContainEqual(expect.objectContaining({ kind: 'host' }))
    await expect.poll(() => world.writes.some(({ kind }) => kind === 'grant')).toBe(true)
    await running.stop()
  }, 15_000)

  it('lets each reporting host be caught up with', async () => {
    const world = createWorld()
    const running = world.run()
    await world.loop.submit(report('one'))
    expect(world.log.at(-1)).toBe(`catch up ${hostId}`)
    await running.stop()
  })

  it('leads no more once the store shows plans of a later term, and tells which', async () => {
    const world = createWorld()
    world.newestTerm = 9
    const { ended } = world.run()
    await expect(ended).rejects.toMatchObject({ code: 'Conflict' })
    expect(world.log).toContain('newer 9')
    expect(world.writes).toEqual([])
  })

  it('ends with a defect instead of repeating it', async () => {
    const world = createWorld()
    const { ended } = world.run()
    world.failNextCommit = new TypeError('a defect')
    const submitted = world.loop.submit(report('one'))
    const outcomes = await Promise.allSettled([ended, submitted])
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { message: 'a defect' } },
      { status: 'rejected', reason: { code: 'LeaseLost' } },
    ])
  })

  it('refuses what still waits when it stops leading', async () => {
    const world = createWorld()
    const running = world.run()
    await expect.poll(() => world.loop.state).not.toBeNull()
    await running.stop()
    expect(world.loop.state).toBeNull()
    await expect(world.loop.submit(report('late'))).rejects.toMatchObject({ code: 'LeaseLost' })
  })

  it('publishes nothing any more for a host that was revoked', async () => {
    const { loop, log, run } = createWorld()
    const running = run()
    for (const event of [report('one'), wanted()]) await loop.submit(event)
    await expect.poll(() => log.at(-1)).toBe('publish 1')
    const revoked = { atMs: 1, actor: 'kim', reason: 'stolen' }
    await loop.submit({ kind: 'enrolled', enrolment: { ...enrolment, revoked } })
    expect(log.slice(log.indexOf(`forget ${hostId}`)).join()).not.toContain('publish')
    await running.stop()
  })
})
