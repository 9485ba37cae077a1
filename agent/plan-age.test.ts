import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import type { Plan } from '../proto/plan.ts'
import { planSubject } from '../proto/subjects.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import type { TestNats } from '../test/support/plan-stream.ts'
import { startAgent } from './agent.ts'
import { parseConfig } from './config.ts'
import { answer } from './local/commands.ts'
import { planAgeOf } from './plan-age.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { acceptedPlan } from './testing/machine-model.ts'
import { digestOf, planFor } from './testing/plans.ts'
import { accept, newWorld } from './testing/world.ts'

const hourMs = 3_600_000
const ago = (hours: number): string => new Date(Date.now() - hours * hourMs).toISOString()
const at = (iso: string): bigint => BigInt(Date.parse(iso))

let authority: TestAuthority
let server: AttachServer
let nats: TestNats
let directory: string
let stop: AbortController

beforeEach(async () => {
  authority = openTestAuthority()
  directory = await mkdtemp(join(tmpdir(), 'bootfleet-plan-age-'))
  stop = new AbortController()
  server = await openAttachServer(authority)
  nats = await openTestNats(authority)
})
afterEach(async () => {
  stop.abort()
  await server.close()
  await nats.close()
  authority.close()
  await rm(directory, { recursive: true, force: true })
})

async function publish(plan: Plan): Promise<void> {
  nats.connection.publish(planSubject(plan.hostId), sealPlan(plan, authority.directorKey))
  await nats.connection.flush()
}

const configOf = () => {
  const image = { digest: digestOf('0.0.0'), version: '0.0.0' }
  const settings = {
    stateDir: join(directory, 'state'),
    controller: { address: server.address },
    nats: { url: nats.url },
    host: { driver: 'simulated', image, stepDelay: 20 },
  }
  return parseConfig(JSON.stringify(settings), 'test')
}

it('a host that is kept on an old plan by replaying it says so, until a newly signed one comes', async () => {
  const config = configOf()
  const log = pino({ level: 'silent' })
  const starting = startAgent({ config, log, checkIntervalMs: 50, judgePlansEveryMs: 50 }, stop.signal)
  await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
  const { hostId } = await starting
  const { signal } = stop
  const status = async (): Promise<string> =>
    (await answer('status', { config, agentWithinMs: 0, signal })).lines.join('\n')

  const old = planFor(hostId, '1.0.0', { issuedAt: ago(49) })
  await publish(old)
  await server.waitFor((_, report) => report.plansStaleSinceMs === at(old.issuedAt))
  await server.waitFor((_, { phase, plansStaleSinceMs }) => phase === Phase.HEALTHY && plansStaleSinceMs > 0n)
  await publish(old)
  expect(await status()).toContain('PlansStale: the newest plan was signed 49 h ago')

  await publish({ ...old, counter: 2, issuedAt: ago(47) })
  const fresh = await server.waitFor((_, report) => report.plan?.counter === 2n)
  expect(fresh).toMatchObject({ phase: Phase.HEALTHY, plansStaleSinceMs: 0n })
  expect(await status()).not.toContain('PlansStale')
})

it('a clock that is set back makes no plan young: what was signed since says what time it is', () => {
  const world = newWorld()
  const issuedAtMs = Date.now() + 1_000 * hourMs
  accept(world, acceptedPlan('1', { issuedAtMs }))
  const ageWith = (certificateMs: number, bundleMs: number): number | null =>
    planAgeOf({
      config: configOf(),
      identity: { certificate: () => ({ pem: '', notBeforeMs: certificateMs }) },
      trust: { believed: () => ({ issuedAtMs: bundleMs }) },
    })(world.disk)
  const [soon, late] = [issuedAtMs + 48 * hourMs, issuedAtMs + 49 * hourMs]
  expect([ageWith(0, 0), ageWith(soon, soon)]).toEqual([null, null])
  expect([ageWith(late, 0), ageWith(0, late)]).toEqual([issuedAtMs, issuedAtMs])
})
