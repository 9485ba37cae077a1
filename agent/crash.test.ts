import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import { planSubject } from '../proto/subjects.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import type { TestNats } from '../test/support/plan-stream.ts'
import { digestOf, planFor } from './testing/plans.ts'

const PHASES = ['DOWNLOADING', 'STAGING', 'ACTIVATING', 'REBOOTING', 'VERIFYING', 'ROLLING_BACK'] as const

describe('the agent program, killed', () => {
  let program: string
  let authority: TestAuthority
  let nats: TestNats
  let server: AttachServer
  let base: string
  let directory: string
  let running: ChildProcess[]

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-agent-program-'))
    program = join(base, 'agent.mjs')
    const banner =
      "import { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)"
    await build({
      entryPoints: [join(import.meta.dirname, 'main.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      target: 'node20.19',
      format: 'esm',
      banner: { js: banner },
      logLevel: 'error',
    })
    authority = openTestAuthority()
    nats = await openTestNats(authority)
  })

  afterAll(async () => {
    await nats.close()
    authority.close()
    await rm(base, { recursive: true, force: true })
  })

  beforeEach(async () => {
    server = await openAttachServer(authority)
    directory = await mkdtemp(join(base, 'host-'))
    running = []
  })

  afterEach(async () => {
    await Promise.all(running.map(kill))
    await server.close()
  })

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  function start(): ChildProcess {
    const args = [program, 'run', '--config', join(directory, 'agent.yaml')]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    running.push(child)
    return child
  }

  async function configure(): Promise<void> {
    const config = {
      name: 'till-1',
      stateDir: join(directory, 'state'),
      controller: { address: server.address },
      nats: { url: nats.url },
      host: {
        driver: 'simulated',
        image: { digest: digestOf('0.0.0'), version: '0.0.0' },
        failing: ['3.0.0'],
        stepDelay: 150,
      },
      log: { level: 'warn' },
    }
    await writeFile(join(directory, 'agent.yaml'), JSON.stringify(config))
  }

  it.each(PHASES)('in %s, ends where it would have ended', async (phase) => {
    await configure()
    const child = start()
    const hostId = await authority.enrol(join(directory, 'state/identity'), hostIdOf, nats.userFor)
    const version = phase === 'ROLLING_BACK' ? '3.0.0' : '1.0.0'
    const health = {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: false,
      stableForMs: 300,
      // A broken image costs all of it; a good one may need it to start twice.
      deadlineMs: phase === 'ROLLING_BACK' ? 1_500 : 100_000,
    }
    const plan = planFor(hostId, version, { health })
    nats.connection.publish(planSubject(hostId), sealPlan(plan, authority.directorKey))
    await server.waitFor((_, report) => report.phase === Phase[phase])

    await kill(child)
    start()

    const wanted = phase === 'ROLLING_BACK' ? Phase.ROLLED_BACK : Phase.HEALTHY
    const ended = await server.waitFor((_, report) => report.phase === wanted)
    expect(ended).toMatchObject({
      bootedDigest: digestOf(phase === 'ROLLING_BACK' ? '0.0.0' : '1.0.0'),
      deniedDigests: phase === 'ROLLING_BACK' ? [digestOf('3.0.0')] : [],
      plan: { counter: 1n },
    })
  })

  it('by SIGTERM, ends with status 0', async () => {
    await configure()
    const child = start()
    await authority.enrol(join(directory, 'state/identity'), hostIdOf, nats.userFor)
    await server.waitFor((_, report) => report.phase === Phase.IDLE)
    const status = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    expect(await status).toBe(0)
  })
})
