import { generateKeyPairSync } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { AUDIT_BEGIN, auditKeyOf, sealAuditEntry } from '../../proto/audit-entry.ts'
import type { AuditFact } from '../../proto/audit-entry.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { AuditPlace, WatchAuditResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'

const key = auditKeyOf(generateKeyPairSync('ed25519').privateKey)
const CHAIN = '00000000-0000-4000-8000-000000000001'
const OTHER_CHAIN = '00000000-0000-4000-8000-000000000002'
const { method } = OperatorService
let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.snapshot = snapshotOfFleets(['edge', 'shop'])
})
afterEach(() => world.reset())

const facts: readonly AuditFact[] = [
  { actor: 'operator/kim', event: 'PauseRollout', outcome: 'Asked', fleet: 'edge', subject: 'target=edge' },
  {
    actor: 'operator/kim',
    event: 'PauseRollout',
    outcome: 'Done',
    of: 1,
    fleet: 'edge',
    subject: 'target=edge rollout=edge.1',
  },
  { actor: 'operator/lee', event: 'Halt', outcome: 'Done' },
  { actor: 'operator/lee', event: 'RetryRollout', outcome: 'Done', fleet: 'shop', subject: 'host=shop-1' },
  { actor: 'operator/lee', event: 'EnrolHost', outcome: 'Done', subject: 'name=shop-1' },
  { actor: 'operator/kim', event: 'IssueOperator', outcome: 'Done', subject: 'name=lee' },
  {
    actor: 'host/abcdefghijklmnopqrstuvwxyz',
    event: 'Enrol',
    outcome: 'Done',
    subject: 'token=t name=till-9 from=::1',
  },
  { actor: 'operator/kim', event: 'ApproveJoin', outcome: 'Done', subject: 'host=abcd-efgh-ijkl-mnop' },
]

function linesOf(given: readonly AuditFact[], chain = CHAIN, first = 1): string[] {
  return given.map((fact, index) =>
    sealAuditEntry(
      fact,
      {
        chain,
        number: first + index,
        previous: AUDIT_BEGIN,
        at: new Date((first + index) * 1000).toISOString(),
      },
      key,
    ),
  )
}
const numbersOf = (lines: readonly string[]): readonly number[] =>
  lines.map((line) => (JSON.parse(line) as { number: number }).number)

async function listed(about: string): Promise<readonly number[]> {
  const request = create(method.listAudit.input, { about, limit: 100 })
  return new Promise((resolve, reject) =>
    world
      .operatorClient(world.operator)
      .listAudit(request, { deadline: Date.now() + 60_000 }, (error, answer) =>
        error === null ? resolve(numbersOf(answer?.lines ?? [])) : reject(error),
      ),
  )
}

type Watch = {
  readonly messages: WatchAuditResponse[]
  readonly error: () => ServiceError | null
  readonly end: () => void
}

function watch(asked: { about?: string; limit?: number; after?: AuditPlace }): Watch {
  const stream = world
    .operatorClient(world.operator)
    .watchAudit(create(method.watchAudit.input, asked), { deadline: Date.now() + 120_000 })
  const messages: WatchAuditResponse[] = []
  let error: ServiceError | null = null
  stream.on('data', (message: WatchAuditResponse) => messages.push(message))
  stream.on('error', (found) => {
    error = found as ServiceError
  })
  return { messages, error: () => error, end: () => stream.cancel() }
}
const shown = ({ messages }: Watch) => messages.map(({ lines }) => numbersOf(lines))
const patiently = { timeout: 120_000, interval: 20 }

test('entries are found by what they are about', async () => {
  world.auditLines = linesOf(facts)
  expect(await listed('')).toHaveLength(facts.length)
  expect(await listed('fleet/edge')).toEqual([1, 2, 3])
  expect(await listed('rollout/edge.1')).toEqual([2])
  expect(await listed('host/shop-1')).toEqual([4, 5])
  expect(await listed('host/abcdefghijklmnopqrstuvwxyz')).toEqual([7])
  expect(await listed('host/lee')).toEqual([])
  expect(await listed('request/abcd-efgh-ijkl-mnop')).toEqual([7, 8])
  expect(await listed('operator/lee')).toEqual([3, 4, 5, 6])
})

test('what is no object is refused with what may be written', async () => {
  for (const about of ['edge', 'fleet/', 'wave/x', 'fleet/a/b']) {
    await expect(listed(about)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('write host/NAME'),
    })
  }
})

test('only what the caller may see is sent', async () => {
  world.auditLines = linesOf(facts)
  world.bindings = [{ who: ['kim'], role: 'view', fleets: ['shop'] }]
  expect(await listed('')).toEqual([4])
  const watching = watch({})
  await expect.poll(() => shown(watching), patiently).toEqual([[4]])
})

test('a watch begins with the newest, and sends each entry about its object as it is written', async () => {
  world.auditLines = linesOf(facts.slice(0, 2))
  const watching = watch({ about: 'fleet/edge', limit: 1 })
  await expect.poll(() => shown(watching), patiently).toEqual([[2]])
  world.auditLines = linesOf(facts)
  world.change()
  await expect.poll(() => shown(watching), patiently).toEqual([[2], [3]])
  world.bindings = []
  world.auditLines = linesOf([...facts, ...facts])
  world.change()
  await expect.poll(() => watching.error()?.code, patiently).toBe(status.PERMISSION_DENIED)
})

test('another watch goes on where an earlier one was, and says what it cannot send any more', async () => {
  world.auditLines = linesOf(facts)
  const earlier = watch({ limit: 1 })
  await expect.poll(() => earlier.messages, patiently).toHaveLength(1)
  earlier.end()
  const after = earlier.messages[0]?.place
  if (after === undefined) throw new Error('no place')
  expect(after.number).toBe(8n)
  world.auditLines = linesOf([...facts, ...facts]).slice(-5)
  const later = watch({ after })
  await expect.poll(() => shown(later), patiently).toEqual([[12, 13, 14, 15, 16]])
  expect(later.messages[0]?.missed).toBe(3n)
  const again = watch({ after: { ...after, number: 16n } })
  await expect.poll(() => shown(again), patiently).toEqual([[]])
})

test('of the chain of a controller that took over, what came later is sent', async () => {
  world.auditLines = linesOf(facts.slice(0, 4), OTHER_CHAIN)
  const place = { $typeName: 'bootfleet.v1.AuditPlace', chain: CHAIN, number: 40n, atMs: 3_000n } as const
  const watching = watch({ after: place })
  await expect.poll(() => shown(watching), patiently).toEqual([[3, 4]])
})
