import type { PeerCertificate } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import pino from 'pino'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { newHost } from '../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../test/support/snapshot-of-fleets.ts'
import { createAuthority, openAuthority } from '../trust/certificate-authority.ts'
import type { CertificateAuthority, KeyAndCertificate } from '../trust/certificate-authority.ts'
import { ControllerError } from './errors.ts'
import type { Snapshot } from './grpc/status-view.ts'
import { defaultRoles } from './operators/bindings-file.ts'
import type { Binding } from './operators/roles.ts'
import { WebRefusal } from './web/backend.ts'
import type { WebBackend } from './web/backend.ts'
import { encodeReading } from './web/page/wire.ts'
import { webBackend } from './web-page.ts'

let authority: CertificateAuthority
let kim: PeerCertificate
let bindings: readonly Binding[]
let snapshot: Snapshot | null
let backend: WebBackend

const seen = ({ certificatePem }: KeyAndCertificate): PeerCertificate =>
  ({ raw: new X509Certificate(certificatePem).raw }) as PeerCertificate

beforeAll(async () => {
  authority = await openAuthority(await createAuthority())
  kim = seen(await authority.issueOperator('kim'))
})
beforeEach(() => {
  bindings = [{ who: ['kim'], role: 'view', fleets: ['edge'] }]
  snapshot = snapshotOfFleets(['edge', 'shop'])
  const audit = {
    append: () => Promise.resolve(0),
    async *lines() {
      yield* []
    },
    recent: () => [],
    listen: () => null,
  }
  backend = webBackend(
    {
      audit,
      listen: () => null,
      roles: { ...defaultRoles, bindings: () => bindings },
      snapshot() {
        if (snapshot !== null) return snapshot
        throw new ControllerError('NotLeader', 'this controller stands by')
      },
    },
    pino({ level: 'silent' }),
  )
})

function refusal(ask: () => unknown): readonly [number, string] {
  try {
    ask()
  } catch (error) {
    if (error instanceof WebRefusal) return [error.status, error.message]
    throw error
  }
  return [200, '']
}

it('an operator sees on every page only what is of the fleets that it may see', () => {
  const wall = backend.read(kim, { kind: 'wall' })
  expect([wall.operator, wall.status.fleets.map(({ name }) => name)]).toEqual(['kim', ['edge']])
  const fleet = backend.read(kim, { kind: 'fleet', fleet: 'edge' })
  expect(fleet.hosts.map(({ name }) => name)).toEqual(['edge-1'])
  const host = backend.read(kim, { kind: 'host', host: 'edge-1' })
  expect([host.why?.fleet, host.hosts.length, host.hops.length > 1]).toEqual(['edge', 1, true])
  const other = backend.read(kim, { kind: 'fleet', fleet: 'shop' })
  for (const reading of [wall, fleet, host, other]) {
    expect(encodeReading(reading)).not.toMatch(/shop|stray|secret/)
  }
})

it('a host of another fleet is refused in the words in which one that is not there is', () => {
  const [status, words] = refusal(() => backend.read(kim, { kind: 'host', host: 'shop-1' }))
  expect([status, words]).toEqual([403, expect.stringContaining('needs role view')])
  expect(refusal(() => backend.read(kim, { kind: 'host', host: 'nothing' }))[0]).toBe(403)
  bindings = [{ who: ['kim'], role: 'view', fleets: ['*'] }]
  expect(refusal(() => backend.read(kim, { kind: 'host', host: 'nothing' }))[0]).toBe(404)
})

it('whoever is no operator is refused, and so is one whose roles were taken away meanwhile', async () => {
  const host = seen(await newHost(authority, 3_600_000))
  expect(refusal(() => backend.operatorOf(host))).toEqual([403, expect.stringContaining('of one operator')])
  expect(refusal(() => backend.read(host, { kind: 'wall' }))[0]).toBe(403)
  expect(refusal(() => backend.operatorOf({} as PeerCertificate))[0]).toBe(403)
  expect(refusal(() => backend.read(kim, { kind: 'wall' }))[0]).toBe(200)
  bindings = []
  expect(refusal(() => backend.read(kim, { kind: 'wall' }))).toEqual([
    403,
    expect.stringContaining('role view'),
  ])
})

it('a controller that stands by says so', () => {
  snapshot = null
  expect(refusal(() => backend.read(kim, { kind: 'wall' }))).toEqual([503, 'this controller stands by'])
})

it('an operator who asks too much is told to wait', () => {
  // Ten a second come back, so how many it takes is the machine's business.
  const isRefused = () => refusal(() => backend.operatorOf(kim))[0] === 429
  expect(isRefused()).toBe(false)
  expect(Array.from({ length: 1_000 }).some(isRefused)).toBe(true)
})
