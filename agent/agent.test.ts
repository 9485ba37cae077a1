import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import { createUser } from '@nats-io/nkeys'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase, Verdict } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import type { Plan } from '../proto/plan.ts'
import { planSubject } from '../proto/subjects.ts'
import { startAgent } from './agent.ts'
import type { Agent, AgentOptions } from './agent.ts'
import { parseConfig } from './config.ts'
import type { AgentConfig } from './config.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { openNatsConnection } from './plans/nats-connection.ts'
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
    nats = await openTestNats(authority)
  })

  afterEach(async () => {
    stop.abort()
    await server.close()
    await nats.close()
    authority.close()
    await rm(directory, { recursive: true, force: true })
  })

  function configOf(name: string, natsUrl = nats.url): AgentConfig {
    return parseConfig(
      JSON.stringify({
        name,
        stateDir: join(directory, name),
        controller: { address: server.address },
        nats: { url: natsUrl },
        host: {
          driver: 'simulated',
          image: { digest: digestOf('0.0.0'), version: '0.0.0' },
          failing: ['3.0.0'],
          unbootable: ['4.0.0'],
          offline: ['5.0.0'],
          stepDelay: 20,
        },
      }),
      'test',
    )
  }

  async function start(name = 'till-1'): Promise<Agent> {
    const config = configOf(name)
    const starting = startAgent({ config, log, checkIntervalMs: 50 }, stop.signal)
    await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
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
        health: {
          units: [],
          http: [],
          checks: ['web-up'],
          greenboot: false,
          reachController: false,
          stableForMs: 0,
          deadlineMs: 200,
        },
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

  it('blames an image for a lost network that the one before has, and says what runs is well', async () => {
    const { hostId } = await start()
    const checks = { units: [], http: [], checks: [], greenboot: false, reachController: true }
    const health = { ...checks, stableForMs: 0, deadlineMs: 1_000 }
    await publish(planFor(hostId, '5.0.0', { health }))
    const back = await server.waitFor(
      (hostIdOfReport, report) =>
        inPhase(Phase.ROLLED_BACK, 'edge-5.0.0')(hostIdOfReport, report) &&
        report.health?.verdict === Verdict.PASSED,
    )
    expect(back).toMatchObject({
      bootedDigest: digestOf('0.0.0'),
      deniedDigests: [digestOf('5.0.0')],
      failure: { code: 'NetworkLost', evidence: [expect.stringContaining('was tried') as string] },
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
    const url = nats.url.replace('//', '//till:secret@')
    const config = configOf('till-1', url)
    const connections: NatsConnection[] = []
    const connectNats: AgentOptions['connectNats'] = async (options) => {
      const connection = await openNatsConnection(options)
      connections.push(connection)
      return connection
    }
    const starting = startAgent({ config, log, connectNats }, stop.signal)
    await authority.enrol(join(directory, 'till-1/identity'), hostIdOf, nats.userFor)
    const { stopped } = await starting
    await server.waitFor((_, report) => report.phase === Phase.IDLE)
    const ended = stopped.catch((error: unknown) => error)
    await expect.poll(() => connections.length, { timeout: 60_000 }).toBe(1)
    await connections[0]?.close()
    expect(await ended).toMatchObject({
      code: 'PlansLost',
      message: `following plans at ${nats.url}: the connection closed for good`,
    })
  })

  it('refuses the plan of another host that a modified client had the server send it, and does nothing', async () => {
    const said: string[] = []
    const spoken = pino({ level: 'warn' }, { write: (line: string) => void said.push(line) })
    const config = configOf('till-1')
    const starting = startAgent({ config, log: spoken, checkIntervalMs: 50 }, stop.signal)
    await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
    const victim = await starting
    await server.waitFor((_, report) => report.phase === Phase.IDLE)
    const attacker = 'b'.repeat(26)
    await publish(planFor(attacker, '1.0.0'))
    const key = createUser()
    const jwt = await nats.userFor(attacker, key.getPublicKey(), Date.now())
    const material = { ...authority.issue({ kind: 'host', hostId: attacker }), caPem: authority.caPem }
    const user = { jwt: () => jwt, seed: key.getSeed() }
    const client = await openNatsConnection({
      url: nats.url,
      hostId: attacker,
      user,
      credentials: () => material,
    })
    // An answer goes where the request says, also to a subject on which this client may not publish.
    const reply = planSubject(victim.hostId)
    const ask = (): void => client.publish(`$JS.API.DIRECT.GET.PLAN.${planSubject(attacker)}`, '', { reply })
    const asking = setInterval(ask, 200)
    await expect.poll(() => said.join(''), { timeout: 60_000 }).toContain('"refusal":"OtherHost"')
    clearInterval(asking)
    await client.close()
    expect(server.reportsOf(victim.hostId).every(({ phase }) => phase === Phase.IDLE)).toBe(true)
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
