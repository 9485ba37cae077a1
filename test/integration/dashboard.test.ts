import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { SyncResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../support/controller.ts'
import { operatorContext } from '../support/operator-context.ts'
import { sitDownAt } from '../support/pseudo-terminal.ts'
import type { Seat } from '../support/pseudo-terminal.ts'
import { edgeOf, openSmallFleet, statusOf } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
const patiently = { timeout: 90_000 }

let world: SmallFleet

beforeEach(async () => {
  world = await openSmallFleet()
})
afterEach(() => world.stop())

/** The program as it ships, on a terminal of the kernel's. */
async function sitDown(args: string, first = ''): Promise<Seat> {
  const context = await operatorContext(world)
  return sitDownAt(`${first}exec '${PROGRAM}' ${args}`, { BOOTFLEET_CONTEXT: context })
}

test('the dashboard shows a rollout, approves and pauses it with a reason, tells a lost controller, and leaves', async () => {
  const [first, second] = [
    await world.registry.pushEmptyImage('os/edge', '1.0.0'),
    await world.registry.pushEmptyImage('os/edge', '2.0.0'),
  ]
  await world.startHosts(2, first)
  const { screen, type, isOwnScreen, ended } = await sitDown('status --watch')
  await expect.poll(screen, patiently).toContain('the commit in force declares none')

  // What is to be approved, and then paused, is there for it however slow this machine is.
  const waves =
    '[{ name: canary, upTo: 1, approval: { required: true } }, { name: others, upTo: 2, soak: 1h }]'
  const file = world.fleetFile(`digest: ${second}`).replace(/waves: .*/, `waves: ${waves}`)
  world.git.commit({ 'fleet.yaml': file }, 'Run the second')
  const { operator } = world.controller
  await call<SyncResponse>((done) =>
    operator.sync(create(SyncRequestSchema), { deadline: Date.now() + 60_000 }, done),
  )
  await expect.poll(screen, patiently).toMatch(/▸ edge +◇ AwaitingApproval +1\/2/)
  expect([isOwnScreen(), screen().split('\n')[0]]).toEqual([true, expect.stringContaining('● connected')])

  type('alooks good\r')
  await expect.poll(screen, patiently).toMatch(/▸ edge +◐ Progressing +2\/2/)
  type('plunch\r')
  await expect.poll(screen, patiently).toMatch(/▸ edge +‖ Paused/)
  expect(edgeOf(await statusOf(world.controller))?.message).toContain('lunch')
  type('\r')
  await expect.poll(screen, patiently).toMatch(/canary +1\/1 +█{10}/)
  expect(screen()).toMatch(/approve +by admin: "looks good"/)
  expect(screen()).toMatch(/pause +by admin: "lunch"/)

  await world.controller.kill9()
  await expect.poll(screen, patiently).toContain('✖ stale since')
  await world.controller.start()
  await expect.poll(screen, patiently).toContain('● connected')

  type('q')
  await expect.poll(ended, patiently).toBe(0)
  expect([isOwnScreen(), screen().trim()]).toEqual([false, ''])

  const pidFile = join(world.dir, 'pid')
  const stopped = await sitDown('status edge --watch', `echo $$ > '${pidFile}'; `)
  await expect.poll(stopped.screen, patiently).toContain('bootfleet › edge')
  process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGTERM')
  await expect.poll(stopped.ended, patiently).toBe(0)
  expect([stopped.isOwnScreen(), stopped.screen().trim()]).toEqual([false, ''])
})
