import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WhyRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { WhyResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { readChain } from '../../trust/chain-file.ts'
import { call } from '../support/controller.ts'
import { edgeOf, openSmallFleet, runs, statusOf, untilStatus } from '../support/small-fleet.ts'
import type { SmallFleet } from '../support/small-fleet.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet')
const waiting = { timeout: 100_000, interval: 200 }
let world: SmallFleet

beforeAll(async () => {
  world = await openSmallFleet({ pollInterval: '1s' })
})
afterAll(() => world.stop())

const soon = () => ({ deadline: Date.now() + 60_000 })
const inTrust = (...parts: readonly string[]): string => join(world.dir, 'trust', ...parts)
const bootfleet = (...words: readonly string[]): string =>
  execFileSync(PROGRAM, ['trust', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** The source is polled every second. */
function want(digest: string, more: Readonly<Record<string, string>> = {}): void {
  const fleet = world.fleetFile(`digest: ${digest}`, '  downgrade: Allow\n')
  world.git.commit({ 'fleet.yaml': fleet, ...more }, `Run ${digest}`)
}

async function why(): Promise<string> {
  const { operator } = world.controller
  const request = create(WhyRequestSchema, { host: 'host-000' })
  return (await call<WhyResponse>((done) => operator.why(request, soon(), done))).message
}

test('a host goes back to what it ran before, and to an older release only once an approver permits it', async () => {
  const push = (version: string): Promise<string> => world.registry.pushEmptyImage('os/edge', version)
  const [first, newer] = [await push('1.0.0'), await push('1.1.0')]
  const [older, permitted] = [await push('0.5.0'), await push('0.6.0')]
  await world.startHosts(1, first)
  want(first)
  await untilStatus(world.controller, runs(first))

  // From here on an approver has a say.
  const approver = join(world.dir, 'approver.key')
  bootfleet('key', 'approver', approver)
  const chain = inTrust('controller/trust.jsonl')
  const signers = [inTrust('root/root-1.key'), inTrust('root/root-2.key')]
  bootfleet('rotate', chain, '--add', `approver=${join(world.dir, 'approver.pem')}`, '--root-key', ...signers)
  const held = async () => (await readChain(join(world.dir, 'host-000/trust.jsonl'))).newest.content.number
  await expect.poll(held, waiting).toBe(2)

  want(newer)
  await untilStatus(world.controller, runs(newer))
  // As `git revert` does: what ran before needs no permit.
  want(first)
  await untilStatus(world.controller, runs(first))
  want(older)
  await expect
    .poll(why, waiting)
    .toMatch(/^failed: deploying sha256:\w+: its version label is 0\.5\.0, which is lower/)
  expect(edgeOf(await statusOf(world.controller))?.hostsUpdated).toBe(0)

  const scope = ['--fleet', 'edge', '--repository', `${world.registry.address}/os/edge`]
  const terms = ['--lowest-version', '0.6.0', '--reason', 'a broken driver', '--key', approver]
  const permit = bootfleet('permit', 'downgrade', ...scope, ...terms)
  const file = join(world.dir, 'permit.json')
  await writeFile(file, permit)
  expect(bootfleet('permit', 'show', file, '--chain', chain)).toContain(
    'every host of fleet edge may go back to version 0.6.0 or higher of',
  )
  want(permitted, { '.bootfleet/permits/driver.json': permit })
  await untilStatus(world.controller, runs(permitted))
})
