import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { jetstreamManager } from '@nats-io/jetstream'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectNats } from '../../controller/store/nats.ts'
import { openPlan } from '../../proto/envelope.ts'
import { ListHostsRequestSchema, SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { ListHostsResponse, SyncResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { PLAN_STREAM, planSubject } from '../../proto/subjects.ts'
import { readChain } from '../../trust/chain-file.ts'
import { call } from '../support/controller.ts'
import { controllerOf } from '../support/nats-users.ts'
import { openSmallFleet, runs, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
const hostNames = ['host-000', 'host-001']
const waiting = { timeout: 60_000, interval: 200 }
let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet()
})
afterEach(() => world.stop())

const trustFile = (...parts: readonly string[]): string => join(world.dir, 'trust', ...parts)

function bootfleet(...words: readonly string[]): string {
  return execFileSync(PROGRAM, ['trust', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function rotate(...change: readonly string[]): void {
  const signers = [trustFile('root/root-1.key'), trustFile('root/root-3.key')]
  bootfleet('rotate', trustFile('controller/trust.jsonl'), ...change, '--root-key', ...signers)
}

async function want(digest: string): Promise<void> {
  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
  const soon = { deadline: Date.now() + 60_000 }
  await call<SyncResponse>((done) => world.controller.operator.sync(create(SyncRequestSchema), soon, done))
}

/** Of the bundle that each host wrote down. */
const heldNumbers = (): Promise<readonly number[]> =>
  Promise.all(
    hostNames.map(
      async (name) => (await readChain(join(world.dir, name, 'trust.jsonl'))).newest.content.number,
    ),
  )

/** Digests that hosts run, and those that their stored plans name and this key signed. */
async function hostsAndPlans(signer: KeyObject): Promise<{ running: string[]; planned: string[] }> {
  const { hosts } = await call<ListHostsResponse>((done) =>
    world.controller.operator.listHosts(
      create(ListHostsRequestSchema),
      { deadline: Date.now() + 60_000 },
      done,
    ),
  )
  const logger = pino({ level: 'silent' })
  const { signal } = new AbortController()
  const connection = await connectNats({ ...(await controllerOf(world.nats)), logger, signal })
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false })
    const planned: string[] = []
    for (const { hostId } of hosts) {
      const stored = await manager.streams.getMessage(PLAN_STREAM, { last_by_subj: planSubject(hostId) })
      const opened = openPlan(stored?.data ?? new Uint8Array(), [signer])
      if (opened.kind === 'opened') planned.push(opened.plan.image.digest)
    }
    return { running: hosts.map(({ bootedDigest }) => bootedDigest), planned }
  } finally {
    await connection.close()
  }
}

test('a director key is replaced while hosts run: its plans are refused, those of the new one followed', async () => {
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await world.registry.pushEmptyImage('os/edge', '2.0.0')
  await world.startHosts(hostNames.length, first)
  await want(first)
  await untilStatus(world.controller, runs(first))
  expect(await heldNumbers()).toEqual([1, 1])

  bootfleet('key', 'director', join(world.dir, 'new.key'))
  rotate('--replace', `director=${join(world.dir, 'new.pem')}`)
  await expect.poll(heldNumbers, waiting).toEqual([2, 2])
  expect(await world.controller.log()).toContain('hosts refuse its plans')

  const stolen = createPublicKey(await readFile(trustFile('controller/director.pem')))
  await want(second)
  await expect.poll(async () => (await hostsAndPlans(stolen)).planned, waiting).toContain(second)
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  expect((await hostsAndPlans(stolen)).running).toEqual([first, first])

  await world.controller.stop()
  await copyFile(join(world.dir, 'new.key'), trustFile('controller/director.key'))
  await world.controller.start()
  await untilStatus(world.controller, runs(second))
  const fresh = createPublicKey(await readFile(join(world.dir, 'new.pem')))
  expect(await hostsAndPlans(fresh)).toEqual({ running: [second, second], planned: [second, second] })
})

test('a controller whose key the newest bundle does not name says so and does not start', async () => {
  await world.controller.stop()
  bootfleet('key', 'director', join(world.dir, 'new.key'))
  rotate('--replace', `director=${join(world.dir, 'new.pem')}`)
  await world.controller.start()
  await expect.poll(() => world.controller.log(), waiting).toContain('does not name director.key')
  rotate('--replace', `director=${trustFile('controller/director.pem')}`)
  await world.controller.start()
  await expect.poll(() => world.controller.log(), waiting).toMatch(/"trust":3,.*"trust bundle"/)
  expect(bootfleet('show', trustFile('controller/trust.jsonl'))).toMatch(/^Bundle: +3\n/)
})
