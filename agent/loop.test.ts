import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import type { Plan } from '../proto/plan.ts'
import { openSimulatedHost } from './hosts/simulated.ts'
import { runBoot } from './loop.ts'
import { openMailbox } from './mailbox.ts'
import type { Mailbox } from './mailbox.ts'
import { digestOf, planFor } from './testing/plans.ts'

const MINUTE_MS = 60_000
const HOST_ID = 'a'.repeat(26)
const director = generateKeyPairSync('ed25519')

describe('a plan that expired before an instant known from signed things', () => {
  let directory: string
  let stop: AbortController
  let mailbox: Mailbox
  let running: Promise<unknown>
  let acceptedCounter: number
  const refused = vi.fn<(line: unknown) => void>()

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-loop-'))
    stop = new AbortController()
    mailbox = openMailbox()
    acceptedCounter = 0
    refused.mockClear()
  })

  afterEach(async () => {
    stop.abort()
    await running
    await rm(directory, { recursive: true, force: true })
  })

  async function start(certificateNotBeforeMs: number): Promise<void> {
    const seed = { digest: digestOf('0'), manifestDigest: digestOf('0'), version: '0' }
    const check = () => ({ kind: 'passed' }) as const
    const path = join(directory, 'machine.json')
    running = runBoot({
      driver: await openSimulatedHost({ path, seed, stepDelayMs: 1, check }),
      identity: { hostId: HOST_ID, certificateNotBeforeMs },
      believed: () => ({
        directorKeys: [director.publicKey],
        release: null,
        approver: null,
        expiresAtMs: null,
        issuedAtMs: 0,
      }),
      mailbox,
      statePath: join(directory, 'state.json'),
      checkIntervalMs: 10,
      onState: ({ accepted }) => {
        acceptedCounter = accepted?.counter ?? 0
      },
      onProgress: () => {},
      log: pino({ level: 'warn' }, { write: (line: string) => refused(JSON.parse(line)) }),
      signal: stop.signal,
    })
  }

  const at = (fromNowMs: number): string => new Date(Date.now() + fromNowMs).toISOString()
  const publish = (changes: Partial<Plan>): void =>
    mailbox.putPlan(
      sealPlan(planFor(HOST_ID, '1', { stage: null, activate: null, ...changes }), director.privateKey),
    )
  const expectExpired = (): Promise<void> =>
    vi.waitFor(
      () => expect(refused).toHaveBeenCalledWith(expect.objectContaining({ refusal: 'Expired' })),
      90_000,
    )

  it('is refused when that is our certificate', async () => {
    await start(Date.now() + 2 * MINUTE_MS)
    publish({ expiresAt: at(MINUTE_MS) })
    await expectExpired()
    expect(acceptedCounter).toBe(0)
  })

  it('is refused when that is the plan before', async () => {
    await start(0)
    publish({ issuedAt: at(4 * MINUTE_MS) })
    await vi.waitFor(() => expect(acceptedCounter).toBe(1), 90_000)
    publish({ counter: 2, expiresAt: at(3 * MINUTE_MS) })
    await expectExpired()
    expect(acceptedCounter).toBe(1)
  })
})
