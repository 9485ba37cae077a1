import { rename } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { SourceStatus, SyncResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
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

async function sync(): Promise<SourceStatus> {
  const { operator } = world.controller
  const response = await call<SyncResponse>((done) =>
    operator.sync(create(SyncRequestSchema), { deadline: Date.now() + 60_000 }, done),
  )
  if (response.source === undefined) throw new Error('the controller answered without a source')
  return response.source
}

async function pushTwo(): Promise<readonly [string, string]> {
  const { registry } = world
  return [
    await registry.pushEmptyImage('os/edge', '1.0.0'),
    await registry.pushEmptyImage('os/edge', '2.0.0'),
  ]
}

function commitDigest(digest: string, more = ''): string {
  return world.git.commit({ 'fleet.yaml': world.fleetFile(`digest: ${digest}`, more) }, `Run ${digest}`)
}

test('sync and SIGHUP poll git at once', async () => {
  const [first, second] = await pushTwo()
  const commit = commitDigest(first)
  expect((await sync()).acceptedCommit).toBe(commit)
  const next = commitDigest(second)
  await sleep(1_000)
  expect((await statusOf(world.controller)).source?.headCommit).toBe(commit)
  world.controller.hangUp()
  await untilStatus(world.controller, ({ source }) => source?.acceptedCommit === next)
})

test('suspend in git stops new grants, and without it they go on', async () => {
  const [first, second] = await pushTwo()
  await world.startHosts(4, first)
  commitDigest(first)
  await sync()
  await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === 4)
  commitDigest(second)
  await sync()
  commitDigest(second, '  suspend: true\n')
  await sync()
  expect(await updatedWhenStill(world.controller)).toBeLessThan(4)
  expect(edgeOf(await statusOf(world.controller))).toMatchObject({ suspended: true })
  commitDigest(second, '  suspend: false\n')
  await sync()
  await untilStatus(world.controller, runs(second))
})

test('a commit of invalid YAML is shown with file, line and column and moves nothing, also after a restart', async () => {
  const [first] = await pushTwo()
  await world.startHosts(3, first)
  const good = commitDigest(first)
  await sync()
  await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === 3)
  const bad = world.git.commit({ 'fleets/more.yaml': 'kind: Fleet\nspec: [' }, 'Break it')
  const rejected = await sync()
  expect(rejected).toMatchObject({ headCommit: bad, acceptedCommit: good, rejection: { commit: bad } })
  expect(rejected.rejection?.issues[0]).toMatch(/^fleets\/more\.yaml:\d+:\d+: /)

  await world.controller.kill9()
  await world.registry.stop()
  await world.controller.start()
  const after = await untilStatus(world.controller, ({ source }) => source?.rejection?.commit === bad)
  expect(after.source?.acceptedCommit).toBe(good)
  await untilStatus(world.controller, runs(first))
  expect(edgeOf(await statusOf(world.controller))?.rollout?.commit).toBe(good)
})

test('a remote that cannot be reached is shown, polled less often, and followed again', async () => {
  const [first] = await pushTwo()
  await rename(world.git.url, `${world.git.url}.gone`)
  const away = await sync()
  expect(away.error).toMatch(/looking up branch "main" of .*fleet\.git: git found/)
  expect(away.nextPollAtMs).toBeGreaterThan(away.lastPolledAtMs)
  await rename(`${world.git.url}.gone`, world.git.url)
  const commit = commitDigest(first)
  expect(await sync()).toMatchObject({ error: '', acceptedCommit: commit })
})

test('a history that was rewritten and pushed by force is followed', async () => {
  const [first, second] = await pushTwo()
  commitDigest(first)
  await sync()
  const rewritten = world.git.rewrite({ 'fleet.yaml': world.fleetFile(`digest: ${second}`) }, 'Begin anew')
  expect(await sync()).toMatchObject({ acceptedCommit: rewritten, acceptedSubject: 'Begin anew', error: '' })
  expect(edgeOf(await statusOf(world.controller))?.digest).toBe(second)
})

test('a tag that moves in the registry starts a rollout without a commit', async () => {
  const [first, second] = await pushTwo()
  await world.registry.moveTag('os/edge', '1.0.0', 'stable')
  await world.startHosts(3, first)
  const commit = world.git.commit({ 'fleet.yaml': world.fleetFile('tag: stable') }, 'Follow stable')
  await sync()
  await untilStatus(world.controller, (now) => runs(first)(now) && edgeOf(now)?.hostsTotal === 3)
  await world.registry.moveTag('os/edge', '2.0.0', 'stable')
  expect((await sync()).acceptedCommit).toBe(commit)
  const end = await untilStatus(world.controller, runs(second))
  expect(edgeOf(end)?.rollout).toMatchObject({ digest: second, fromDigest: first, commit })
})
