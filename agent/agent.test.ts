import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase, Verdict } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import type { Plan } from '../proto/plan.ts'
import { planSubject } from '../proto/subjects.ts'
import { startAgent } from './agent.ts'
import type { Agent } from './agent.ts'
import { parseConfig } from './config.ts'
import type { AgentConfig } from './config.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import type { TestNats } from '../test/support/plan-stream.ts'
import { digestOf, planFor } from './testing/plans.ts'

const log = pino({ level: 'silent' })

describe('an agent with a simulated host', () => {
  let authority: TestAuthority
  let server: AttachServer
  let nats: TestNats
  let directory: string
  let stop: AbortController

  beforeEach(async () => {
    authority = openTestAuthority()
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-agent-'))
    stop = new AbortController()
    server = await openAttachServer(authority)
    nats = await openTestNats()
  })

  afterEach(async () => {
    stop.abort()
    await server.close()
    await nats.close()
    authority.close()
    await rm(directory, { recursive: true, force: true })
  })

  function configOf(name: string): AgentConfig {
    return parseConfig(
      JSON.stringify({
        name,
        stateDir: join(directory, name),
        controller: { address: server.address },
        nats: { url: nats.url },
        host: {
          driver: 'simulated',
          image: { digest: digestOf('0.0.0'), version: '0.0.0' },
          failing: ['3.0.0'],
          unbootable: ['4.0.0'],
          stepDelay: 20,
        },
      }),
      'test',
    )
  }

  async function start(name = 'till-1'): Promise<Agent> {
    const config = configOf(name)
    const starting = startAgent({ config, log, checkIntervalMs: 50 }, stop.signal)
    await authority.enrol(config.identityDir, hostIdOf)
    return starting
  }

  async function publish(plan: Plan): Promise<void> {
    nats.connection.publish(planSubject(plan.hostId), sealPlan(plan, authority.directorKey))
    await nats.connection.flush()
  }

  const inPhase =
    (phase: Phase, rollout: string) =>
    (_hostId: string, report: { phase: Phase; plan?: { rollout: string } | undefined }) =>
      report.phase === phase && report.plan?.rollout === rollout

  it('reports itself idle, runs the image of its plan, and proves it under a new boot id', async () => {
    const { hostId } = await start()
    const idle = await server.waitFor((_, report) => report.phase === Phase.IDLE)
    expect(idle).toMatchObject({
      hostName: 'till-1',
      bootedDigest: digestOf('0.0.0'),
      facts: { driver: 'simulated' },
    })

    await publish(planFor(hostId, '1.0.0'))

    const healthy = await server.waitFor(inPhase(Phase.HEALTHY, 'edge-1.0.0'))
    expect(healthy).toMatchObject({
      bootedDigest: digestOf('1.0.0'),
      bootedManifestDigest: digestOf('1.0.0'),
      targetDigest: digestOf('1.0.0'),
      health: { verdict: Verdict.PASSED },
    })
    expect(healthy.bootId).not.toBe(idle.bootId)
  })

  it('falls back by itself, with the failed check, when the image is not healthy', async () => {
    const { hostId } = await start()
    await publish(planFor(hostId, '1.0.0'))
    await server.waitFor(inPhase(Phase.HEALTHY, 'edge-1.0.0'))

    await publish(
      planFor(hostId, '3.0.0', {
        counter: 2,
        generation: 2,
        health: { checks: ['web-up'], stableForMs: 0, deadlineMs: 200 },
      }),
    )

    const back = await server.waitFor(inPhase(Phase.ROLLED_BACK, 'edge-3.0.0'))
    expect(back).toMatchObject({
      bootedDigest: digestOf('1.0.0'),
      targetDigest: digestOf('3.0.0'),
      deniedDigests: [digestOf('3.0.0')],
      failure: { code: 'HealthFailed' },
      health: { verdict: Verdict.FAILED, failedChecks: [{ name: 'web-up' }] },
    })
  })

  it('reports what came up instead when the image does not boot', async () => {
    const { hostId } = await start()
    await publish(planFor(hostId, '4.0.0'))
    const back = await server.waitFor(inPhase(Phase.ROLLED_BACK, 'edge-4.0.0'))
    expect(back).toMatchObject({ bootedDigest: digestOf('0.0.0'), failure: { code: 'BootedOther' } })
  })

  it('does not try again what an agent that came with a newer image left on trial', async () => {
    const at = { phase: 'Judging', commit: {}, plan: { image: { digest: digestOf('1.0.0') } } }
    await mkdir(join(directory, 'till-1'))
    const newer = { version: 2, deniedDigests: [digestOf('0.0.0')], at }
    await writeFile(join(directory, 'till-1/state.json'), JSON.stringify(newer))
    const { hostId } = await start()
    const idle = await server.waitFor((_, report) => report.phase === Phase.IDLE)
    expect(idle.deniedDigests).toEqual([digestOf('1.0.0')])
    await publish(planFor(hostId, '1.0.0'))
    const failed = await server.waitFor(inPhase(Phase.FAILED, 'edge-1.0.0'))
    expect(failed).toMatchObject({ bootedDigest: digestOf('0.0.0'), failure: { code: 'DeniedDigest' } })
  })

  it('ends, for its service manager to start it again, when it can get no plans any more', async () => {
    const natsConnection = await connect({ servers: nats.url })
    const starting = startAgent({ config: configOf('till-1'), log, natsConnection }, stop.signal)
    await authority.enrol(join(directory, 'till-1/identity'), hostIdOf)
    const { stopped } = await starting
    await server.waitFor((_, report) => report.phase === Phase.IDLE)
    const ended = stopped.catch((error: unknown) => error)
    await natsConnection.close()
    expect(await ended).toMatchObject({ code: 'PlansLost' })
  })

  it('has its state directory to itself, until it is stopped', async () => {
    const { stopped } = await start()
    const second = startAgent({ config: configOf('till-1'), log }, stop.signal)
    await expect(second).rejects.toMatchObject({ code: 'AlreadyRunning' })
    stop.abort()
    await stopped
    stop = new AbortController()
    await start()
  })

  it('gets the plan that was published while it was away', async () => {
    const { hostId, stopped } = await start()
    stop.abort()
    await stopped
    await publish(planFor(hostId, '1.0.0'))
    stop = new AbortController()
    await start()
    const healthy = await server.waitFor(inPhase(Phase.HEALTHY, 'edge-1.0.0'))
    expect(healthy.bootedDigest).toBe(digestOf('1.0.0'))
  })
})
