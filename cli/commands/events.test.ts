import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { AUDIT_BEGIN, auditKeyOf, sealAuditEntry } from '../../proto/audit-entry.ts'
import type { AuditFact } from '../../proto/audit-entry.ts'
import { runBootfleet, startBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'

const key = auditKeyOf(generateKeyPairSync('ed25519').privateKey)
const chain = '00000000-0000-4000-8000-000000000001'
const pause = { actor: 'operator/kim', event: 'PauseRollout', fleet: 'edge', reason: 'smoke' } as const
const facts: readonly AuditFact[] = [
  { ...pause, outcome: 'Asked', subject: 'target=edge' },
  { ...pause, outcome: 'Done', of: 1, message: 'rollout/edge.1 of fleet edge: paused' },
  { actor: 'controller', event: 'Leading', outcome: 'Noted', message: 'this controller leads, term 3' },
]
let world: GrpcWorld
let dir: string

beforeAll(async () => {
  world = await startGrpcWorld()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-events-'))
  await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
  await writeFile(join(dir, 'operator.pem'), world.operator.certificatePem)
  await writeFile(join(dir, 'operator.key'), world.operator.keyPem)
  const files = { ca: 'ca.pem', certificate: 'operator.pem', key: 'operator.key' }
  await writeFile(join(dir, 'context.json'), JSON.stringify({ address: world.address, ...files }))
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true })
})
beforeEach(() => {
  world.snapshot = snapshotOfFleets(['edge'])
  write(facts)
})
afterEach(() => world.reset())

function write(given: readonly AuditFact[]): void {
  world.auditLines.push(
    ...given.map((fact, index) => {
      const number = world.auditLines.length + index + 1
      const at = new Date(1_795_000_000_000 + number * 1000).toISOString()
      return sealAuditEntry(fact, { chain, number, previous: AUDIT_BEGIN, at }, key)
    }),
  )
  world.change()
}

const args = (...words: readonly string[]): readonly string[] => [
  '--context',
  join(dir, 'context.json'),
  'events',
  ...words,
]
const events = (...words: readonly string[]): Promise<Ran> => runBootfleet(args(...words))

it('lists what happened, an order and its answer as one', async () => {
  expect((await events()).out.split('\n')).toEqual([
    'AT (UTC)             WHO         WHAT   OUTCOME  FLEET  MESSAGE',
    '2026-11-18 11:06:42  kim         pause  ✔ Done   edge   rollout/edge.1 of fleet edge: paused; "smoke"',
    '2026-11-18 11:06:43  controller  leads  · Noted  -      this controller leads, term 3',
    '',
  ])
  expect((await events('-n', '1', '--no-headers')).out).toMatch(/^\S+ \S+ {2}controller .*\n$/)
  expect(JSON.parse((await events('--for', 'fleet/edge', '-o', 'json')).out)).toMatchObject([
    { number: 2, reason: 'smoke' },
  ])
})

it('says that there is none, and what it takes', async () => {
  expect(await events('--for', 'host/nobody')).toEqual({
    status: 0,
    out: '',
    note: 'no events about host/nobody that you may see\n',
  })
  const { note, status } = await events('--for', 'edge')
  expect([status, note]).toEqual([1, expect.stringContaining('takes one of host/edge, fleet/edge')])
})

const describe = (...words: readonly string[]): Promise<Ran> =>
  runBootfleet(['--context', join(dir, 'context.json'), 'describe', ...words])

it('ends the description of an object with the last ten about it, the newest last', async () => {
  const asked = { ...pause, outcome: 'Done', message: 'was paused already' } as const
  write(Array.from({ length: 12 }, (_, index) => ({ ...asked, reason: `time ${index}` })))
  const { out } = await describe('fleet/edge')
  const [before = '', after = ''] = out.split('\nEvents, the newest last; for more: bootfleet events --for ')
  expect(before).toMatch(/^Name: +edge\n/)
  const [about, header, ...rows] = after.trimEnd().split('\n')
  expect([about, header]).toEqual(['fleet/edge', expect.stringMatching(/^AT \(UTC\) +WHO +WHAT/)])
  expect(rows.map((row) => /"time (\d+)"$/.exec(row)?.[1])).toEqual(
    Array.from({ length: 10 }, (_, index) => `${index + 2}`),
  )
  expect((await describe('host', 'edge-1')).out).toMatch(/\n\nEvents: none that you may see\n$/)
  expect((await describe('rollout/edge.1')).out).toMatch(/\n\nEvents: none that you may see\n$/)
  expect(JSON.parse((await describe('fleet/edge', '-o', 'json')).out)).toMatchObject({ name: 'edge' })
})

it('follows until interrupted', async () => {
  const following = startBootfleet(args('-f', '-n', '1'))
  await expect.poll(following.out, { timeout: 120_000 }).toContain('leads')
  write([{ actor: 'operator/lee', event: 'Halt', outcome: 'Done', message: 'every fleet is halted' }])
  await expect.poll(following.out, { timeout: 120_000 }).toContain('every fleet is halted')
  following.interrupt()
  const { out, status } = await following.ended
  expect([status, out.split('\n').map((line) => line.slice(21, 40).trim().split(/ +/)[0])]).toEqual([
    0,
    ['WHO', 'controller', 'lee', ''],
  ])
})
