import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openPlan } from '../../proto/envelope.ts'
import type { Plan } from '../../proto/plan.ts'
import { startNatsServer } from '../../test/support/nats-server.ts'
import type { NatsServer } from '../../test/support/nats-server.ts'
import { controllerOf } from '../../test/support/nats-users.ts'
import type { PlanIntent } from '../rollout/decision.ts'
import { connectStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { openPublisher } from './publisher.ts'
import type { PublishContext, Publisher } from './publisher.ts'

const logger = pino({ level: 'silent' })
const { signal } = new AbortController()
const { privateKey: directorKey } = generateKeyPairSync('ed25519')
const nowMs = Date.parse('2026-01-01T00:00:00Z')
const hourMs = 3_600_000
const maxBytes = 1_000

let server: NatsServer
let store: Store
let hostId: string
let lastHost = 0

beforeAll(async () => {
  server = await startNatsServer()
})
afterAll(() => server.stop())
beforeEach(async () => {
  store = await connectStore({ ...(await controllerOf(server)), signal, logger })
  hostId = String.fromCharCode(97 + (lastHost += 1)).repeat(26)
})
afterEach(() => store.close())

const open = (): Promise<Publisher> =>
  openPublisher({ log: store.plans, directorKey, maxBytes, logger, signal })

function context(changes: Partial<PublishContext> = {}): PublishContext {
  return { term: 1, nowMs, acceptedCounterOf: () => null, signal, ...changes }
}

function intent(changes: Partial<PlanIntent> = {}): PlanIntent {
  return {
    hostId,
    fleet: 'edge',
    rollout: 'edge.1',
    generation: 1,
    attempt: 1,
    image: { repository: 'r.example/os', digest: digest('a'), manifestDigest: digest('b'), version: '1.0.0' },
    stageUntilMs: nowMs + hourMs,
    activateUntilMs: null,
    health: {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: false,
      stableForMs: 0,
      deadlineMs: 600_000,
    },
    allow: [],
    lint: 'Off',
    deny: [],
    commit: 'c0ffee',
    ...changes,
  }
}

const toLetters = (value: number): string =>
  [17_576, 676, 26, 1].map((unit) => String.fromCharCode(97 + (Math.floor(value / unit) % 26))).join('')
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

async function stored(): Promise<Plan> {
  const found = (await store.plans.load(signal)).find(({ subject }) => subject === `plan.${hostId}`)
  const opened = openPlan(found?.envelope ?? new Uint8Array(), [createPublicKey(directorKey)])
  if (opened.kind === 'refused') throw new Error(opened.refusal)
  return opened.plan
}

describe('publishing plans', () => {
  it('signs what the host may do, for a day, with limits', async () => {
    await (await open()).publish([intent()], context({ term: 4 }))
    expect(await stored()).toMatchObject({
      hostId,
      rollout: 'edge.1',
      term: 4,
      counter: 1,
      issuedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-01-02T00:00:00.000Z',
      stage: { until: '2026-01-01T01:00:00.000Z' },
      activate: null,
      limits: { maxReboots: 4, maxBytes },
    })
  })

  it('names the check of the image only where there is one, which older agents do not know', async () => {
    const publisher = await open()
    await publisher.publish([intent({ lint: 'Off' })], context())
    expect(await stored()).not.toHaveProperty('lint')
    await publisher.publish([intent({ lint: 'Enforce' })], context())
    expect(await stored()).toMatchObject({ lint: 'Enforce', counter: 2 })
  })

  it('hands on who signed the image, and signs anew when somebody else did', async () => {
    const publisher = await open()
    const by = (bundle: string) => ({ ...intent().image, signatures: [{ kind: 'bundle', bundle }] as const })
    await publisher.publish([intent()], context())
    expect(await stored()).not.toHaveProperty('signatures')
    await publisher.publish([intent({ image: by('YQ==') })], context())
    await publisher.publish([intent({ image: by('Yg==') })], context())
    expect(await stored()).toMatchObject({ counter: 3, signatures: [{ kind: 'bundle', bundle: 'Yg==' }] })
  })

  it('writes nothing when nothing changed, also after a restart', async () => {
    const publisher = await open()
    expect(await publisher.publish([intent()], context())).toBe(1)
    expect(await publisher.publish([intent()], context({ nowMs: nowMs + hourMs }))).toBe(0)
    expect(await (await open()).publish([intent()], context({ nowMs: nowMs + hourMs }))).toBe(0)
    expect((await stored()).counter).toBe(1)
  })

  it.each([
    ['the grant changed', { activateUntilMs: nowMs + 1 }, {}],
    ['another term began', {}, { term: 2 }],
    ['less than half of its life is left', {}, { nowMs: nowMs + 13 * hourMs }],
    ['the host is ahead of what is stored', {}, { acceptedCounterOf: () => 1 + 1 }],
  ])('writes again, with a higher counter, when %s', async (_why, changes, moment) => {
    const publisher = await open()
    await publisher.publish([intent()], context())
    expect(await publisher.publish([intent(changes)], context(moment))).toBe(1)
    expect((await stored()).counter).toBe('acceptedCounterOf' in moment ? 3 : 2)
  })

  it('continues after the counter that a host accepted, unless the host leaps out of reach', async () => {
    await (await open()).publish([intent()], context({ acceptedCounterOf: () => 57 }))
    expect((await stored()).counter).toBe(58)
    const next = intent({ attempt: 2 })
    await (await open()).publish([next], context({ acceptedCounterOf: () => Number.MAX_SAFE_INTEGER }))
    expect((await stored()).counter).toBe(59)
  })

  it('catches up with a host that is ahead of the stored plans, and only then', async () => {
    const publisher = await open()
    await publisher.publish([intent()], context())
    expect(await publisher.catchUp(hostId, context({ acceptedCounterOf: () => 1 }))).toBe(0)
    expect(await publisher.catchUp(hostId, context({ acceptedCounterOf: () => 8 }))).toBe(1)
    expect((await stored()).counter).toBe(9)
    expect(await publisher.catchUp(hostId, context({ acceptedCounterOf: () => 2 ** 40 }))).toBe(0)
  })

  it('knows the newest term of what is stored', async () => {
    await (await open()).publish([intent()], context({ term: 41 }))
    expect((await open()).newestTerm).toBe(41)
  })

  it('renews what would expire, and only that', async () => {
    const publisher = await open()
    await publisher.publish([intent()], context())
    expect(await publisher.renew(context({ nowMs: nowMs + 11 * hourMs }))).toBe(0)
    expect(await publisher.renew(context({ nowMs: nowMs + 13 * hourMs }))).toBe(1)
    expect((await stored()).expiresAt).toBe('2026-01-02T13:00:00.000Z')
  })

  it('renews a large fleet, which was signed at once, a part at a time', async () => {
    const publisher = await open()
    const hostIds = Array.from({ length: 501 }, (_, index) => `${'z'.repeat(22)}${toLetters(index)}`)
    await publisher.publish(
      hostIds.map((id) => intent({ hostId: id })),
      context(),
    )
    const late = context({ nowMs: nowMs + 13 * hourMs })
    expect([await publisher.renew(late), await publisher.renew(late), await publisher.renew(late)]).toEqual([
      500, 1, 0,
    ])
  })

  it('signs nothing again for a host that it forgot', async () => {
    const publisher = await open()
    await publisher.publish([intent()], context())
    publisher.forget(hostId)
    expect(await publisher.renew(context({ nowMs: nowMs + 13 * hourMs }))).toBe(0)
    expect(await publisher.catchUp(hostId, context({ acceptedCounterOf: () => 8 }))).toBe(0)
  })

  it('does not overwrite the plan of another leader', async () => {
    const [first, second] = [await open(), await open()]
    await first.publish([intent()], context())
    const late = second.publish([intent({ attempt: 2 })], context())
    await expect(late).rejects.toMatchObject({ code: 'StoreConflict' })
    expect((await stored()).attempt).toBe(1)
  })

  it('replaces a stored plan that it did not sign', async () => {
    const foreign = await openPublisher({
      log: store.plans,
      directorKey: generateKeyPairSync('ed25519').privateKey,
      maxBytes,
      logger,
      signal,
    })
    await foreign.publish([intent()], context())
    expect(await (await open()).publish([intent()], context())).toBe(1)
    expect((await stored()).counter).toBe(1)
  })
})
