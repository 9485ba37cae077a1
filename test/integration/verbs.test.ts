import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  PauseRolloutRequestSchema,
  ResumeRolloutRequestSchema,
  SyncRequestSchema,
  WatchStatusRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  PauseRolloutResponse,
  ResumeRolloutResponse,
  SyncResponse,
  WatchStatusResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../support/controller.ts'
import {
  edgeOf,
  openSmallFleet,
  runs,
  statusOf,
  untilStatus,
  updatedWhenStill,
} from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet()
})
afterEach(() => world.stop())

const soon = (): { deadline: number } => ({ deadline: Date.now() + 60_000 })

async function pause(target: string): Promise<PauseRolloutResponse> {
  const request = create(PauseRolloutRequestSchema, { target, reason: 'lunch' })
  return call((done) => world.controller.operator.pauseRollout(request, soon(), done))
}

async function resume(target: string): Promise<ResumeRolloutResponse> {
  const request = create(ResumeRolloutRequestSchema, { target, reason: 'back' })
  return call((done) => world.controller.operator.resumeRollout(request, soon(), done))
}

/** Names the digest in git, and has the controller read it. */
async function want(digest: string): Promise<void> {
  world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`) }, `Run ${digest}`)
  await call<SyncResponse>((done) => world.controller.operator.sync(create(SyncRequestSchema), soon(), done))
}

test('pause stops new grants and resume goes on, by name of the fleet and by id of the rollout', async () => {
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  const second = await world.registry.pushEmptyImage('os/edge', '2.0.0')
  await world.startHosts(6, first)
  await want(first)
  await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === 6)

  await want(second)
  const { rollout } = await pause('edge')
  expect([rollout?.state, rollout?.pausedFor]).toEqual(['Paused', 'User'])
  const updated = await updatedWhenStill(world.controller)
  expect(updated).toBeLessThan(2)
  expect((await resume('edge')).rollout?.state).toBe('Progressing')
  await untilStatus(world.controller, (now) => (edgeOf(now)?.hostsUpdated ?? 0) > updated)

  await pause(rollout?.id ?? '')
  expect(await updatedWhenStill(world.controller)).toBeLessThan(6)
  expect(edgeOf(await statusOf(world.controller))?.message).toContain('lunch')
  await resume(rollout?.id ?? '')
  await untilStatus(world.controller, runs(second))
  await expect(pause('edge')).rejects.toThrow('it has succeeded; only one that is under way can be paused')
})

test('a watch streams what changes', async () => {
  // A watch that opens before there is a leader is refused.
  await statusOf(world.controller)
  const seen: WatchStatusResponse[] = []
  const stream = world.controller.operator.watchStatus(create(WatchStatusRequestSchema), {})
  stream.on('data', (response) => seen.push(response))
  const ended = new Promise<string>((resolve) => stream.on('error', (error) => resolve(error.message)))
  await expect.poll(() => seen.length, { timeout: 60_000 }).toBeGreaterThan(0)
  const first = await world.registry.pushEmptyImage('os/edge', '1.0.0')
  await want(first)
  await expect.poll(() => seen.at(-1)?.status?.fleets[0]?.digest, { timeout: 60_000 }).toBe(first)
  await world.startHosts(3, first)
  await expect.poll(() => seen.at(-1)?.status?.fleets[0]?.hostsHealthy, { timeout: 30_000 }).toBe(3)
  stream.cancel()
  expect(await ended).toContain('CANCELLED')
})
