import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startGrpcWorld } from '../test/support/grpc-world.ts'
import type { GrpcWorld } from '../test/support/grpc-world.ts'
import { BACKDATED_MS } from '../proto/identity.ts'
import { openIdentity } from './identity/identity.ts'
import type { Identity } from './identity/identity.ts'
import { readIfThere } from './identity/trust-material.ts'
import { dueOf, keepRenewed, silentAtMs } from './renewal.ts'
import { renewCertificate } from './report/renew.ts'

const log = pino({ level: 'silent' })
const DAY_MS = 24 * 60 * 60 * 1000

describe('a host with a certificate', () => {
  let world: GrpcWorld
  let directory: string
  let stop: AbortController
  let running: Promise<void>

  beforeAll(async () => {
    world = await startGrpcWorld()
  })
  afterAll(() => world.close())
  beforeEach(async () => {
    world.reset()
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-renewal-'))
    stop = new AbortController()
    running = Promise.resolve()
  })
  afterEach(async () => {
    stop.abort()
    await running
    await rm(directory, { recursive: true, force: true })
  })

  const certificatePath = (): string => join(directory, 'certificate.pem')

  async function enrolled(lifetimeMs: number): Promise<Identity> {
    const opening = openIdentity({ directory, log, signal: stop.signal, pollMs: 10 })
    const { hostId, certificatePem } = await world.authority.issueHost(await request(), lifetimeMs)
    world.enrolled.add(hostId)
    await writeFile(join(directory, 'ca.pem'), world.authority.certificatePem)
    await writeFile(join(directory, 'trust.jsonl'), 'a bundle')
    await writeFile(join(directory, 'nats.jwt'), 'no.server.asks')
    await writeFile(certificatePath(), certificatePem)
    return opening
  }

  async function request(): Promise<string> {
    for (;;) {
      const pem = await readIfThere(join(directory, 'request.csr'))
      if (pem !== null) return pem
      await delay(5)
    }
  }

  function keep(
    identity: Identity,
    caPem = world.authority.certificatePem,
    heardAtMs?: () => number,
  ): { readonly renewals: () => number } {
    let renewals = 0
    const renew = async (certificateRequestPem: string): Promise<string> => {
      const credentials = { keyPem: identity.keyPem, certificatePem: identity.certificate().pem, caPem }
      const wanted = { certificateRequestPem, natsUserPublicKey: '', signal: stop.signal }
      const answer = await renewCertificate({ address: world.address }, credentials, wanted)
      return answer.certificatePem
    }
    const onRenewed = (): void => {
      renewals += 1
    }
    const heard = heardAtMs === undefined ? {} : { heardAtMs }
    running = keepRenewed({ identity, renew, onRenewed, log, signal: stop.signal, ...heard })
    return { renewals: () => renewals }
  }

  it('gets another one for the same key from the controller, and it is on disk', async () => {
    const identity = await enrolled(16_000)
    const before = identity.certificate()
    const { renewals } = keep(identity)
    await expect.poll(renewals, { timeout: 60_000 }).toBeGreaterThan(0)
    expect(identity.certificate().notAfterMs).toBeGreaterThan(before.notAfterMs)
    expect(await readFile(certificatePath(), 'utf8')).toBe(identity.certificate().pem)
    const restarted = await openIdentity({ directory, log, signal: stop.signal })
    expect([restarted.hostId, restarted.keyPem]).toEqual([identity.hostId, identity.keyPem])
  })

  it('asks for another one before its time when the controller has answered nothing for long', async () => {
    const identity = await enrolled(DAY_MS)
    let heardAtMs = Date.now() - 6 * 60_000
    const { renewals } = keep(identity, undefined, () => heardAtMs)
    await expect.poll(renewals, { timeout: 60_000 }).toBeGreaterThan(0)
    heardAtMs = Date.now()
  })

  it('takes what a person puts into its place while it runs, also after the old one expired', async () => {
    const identity = await enrolled(1)
    world.leads = false
    const { renewals } = keep(identity)
    const fresh = await world.authority.reissueHost(identity.request(), {
      hostId: identity.hostId,
      lifetimeMs: DAY_MS,
    })
    await writeFile(certificatePath(), fresh)
    await expect.poll(renewals, { timeout: 60_000 }).toBe(1)
    expect(identity.certificate().pem).toBe(fresh)
  })

  it('keeps the old one when what came is for another host or another key', async () => {
    const identity = await enrolled(DAY_MS)
    const { pem } = identity.certificate()
    const other = 'b'.repeat(26)
    const forOther = await world.authority.reissueHost(identity.request(), {
      hostId: other,
      lifetimeMs: DAY_MS,
    })
    await expect(identity.take(forOther)).rejects.toMatchObject({ code: 'IdentityInvalid' })
    await expect(identity.take(world.host.certificatePem)).rejects.toThrow(/another key/)
    await expect(identity.take('nothing')).rejects.toMatchObject({ code: 'IdentityInvalid' })
    expect(identity.certificate().pem).toBe(pem)
    expect(await readFile(certificatePath(), 'utf8')).toBe(pem)
  })

  it('keeps the old one when the new one cannot be written', async () => {
    const identity = await enrolled(DAY_MS)
    const { pem } = identity.certificate()
    const { hostId } = identity
    const fresh = await world.authority.reissueHost(identity.request(), { hostId, lifetimeMs: DAY_MS })
    await rm(directory, { recursive: true })
    await writeFile(directory, 'no folder')
    await expect(identity.take(fresh)).rejects.toThrow(/EEXIST/)
    expect(identity.certificate().pem).toBe(pem)
  })
})

it('a certificate is due around half of its life, not at the same time on every host', () => {
  const issuedAtMs = 1_000_000_000
  const certificate = { notBeforeMs: issuedAtMs - BACKDATED_MS, notAfterMs: issuedAtMs + DAY_MS }
  const shares = [0, 0.5, 0.999].map((random) => (dueOf(certificate, random).atMs - issuedAtMs) / DAY_MS)
  expect(shares[0]).toBeCloseTo(0.55)
  expect(shares[1]).toBeCloseTo(0.5)
  expect(shares[2]).toBeCloseTo(0.45)
  const joining = { ...certificate, notAfterMs: issuedAtMs + 30 * DAY_MS }
  expect(dueOf(joining, 0.5).atMs).toBeLessThanOrEqual(issuedAtMs)
})

it('a silent controller is a reason to renew after five minutes, and again only after as many', () => {
  expect(silentAtMs(1_000, Number.NEGATIVE_INFINITY)).toBe(301_000)
  expect(silentAtMs(1_000, 400_000)).toBe(700_000)
})
