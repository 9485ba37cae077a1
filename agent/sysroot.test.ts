import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { Phase } from '../proto/gen/bootfleet/v1/agent_pb.ts'
import { hostIdOf } from '../proto/identity.ts'
import { planSubject } from '../proto/subjects.ts'
import { bundle } from './container-snap/testing/program.ts'
import { openRegistry, systemTree } from './container-snap/testing/registry.ts'
import type { Registry } from './container-snap/testing/registry.ts'
import { openSysroot } from './container-snap/testing/sysroot.ts'
import type { Sysroot } from './container-snap/testing/sysroot.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import type { TestNats } from '../test/support/plan-stream.ts'
import { planFor } from './testing/plans.ts'

describe('the agent program on a real btrfs, with its state inside the host', () => {
  let base: string
  let authority: TestAuthority
  let nats: TestNats
  let server: AttachServer
  let registry: Registry
  let disk: Sysroot
  let snap: string
  let agent: ChildProcess | null = null
  let hostId: string
  let counter = 0
  const digests = new Map<string, string>()

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-sysroot-'))
    authority = openTestAuthority()
    nats = await openTestNats(authority)
    server = await openAttachServer(authority)
    registry = await openRegistry()
    disk = await openSysroot(512)
    snap = join(base, 'container-snap')
    await bundle('main.ts', `${snap}.mjs`)
    await writeFile(snap, `#!/bin/sh\nexec ${process.execPath} ${snap}.mjs "$@"\n`, { mode: 0o755 })
    for (const version of ['0.0.0', '1.0.0', '2.0.0', '3.0.0']) {
      digests.set(version, await registry.push(`os/edge:${version}`, [systemTree(version)]))
    }
    const image = `docker://${registry.address}/os/edge@${digests.get('0.0.0') ?? ''}`
    const pulled = JSON.parse(call('pull', '--json', image)) as { imageId: string }
    call('switch', call('create-snapshot', pulled.imageId))
    await disk.reboot()
    const banner =
      "import { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)"
    await build({
      entryPoints: [join(import.meta.dirname, 'main.ts')],
      outfile: join(base, 'agent.mjs'),
      bundle: true,
      platform: 'node',
      target: 'node20.19',
      format: 'esm',
      banner: { js: banner },
      logLevel: 'error',
    })
    const device = execFileSync('findmnt', ['-n', '-v', '-o', 'SOURCE', disk.directory], { encoding: 'utf8' })
    const stateDir = join(disk.directory, 'var/lib/bootfleet/agent')
    const sysroot = { sysroot: disk.directory, device: device.trim(), runDir: join(base, 'run') }
    const config = {
      name: 'till-1',
      stateDir,
      controller: { address: server.address },
      nats: { url: nats.url },
      host: { driver: 'container-snap', command: snap, ...sysroot },
      log: { level: 'error' },
    }
    await writeFile(join(base, 'agent.yaml'), JSON.stringify(config))
    start()
    hostId = await authority.enrol(join(stateDir, 'identity'), hostIdOf, nats.userFor)
    await server.waitFor((_, report) => report.phase === Phase.IDLE)
  }, 120_000)

  afterAll(async () => {
    await kill()
    await disk.close()
    await registry.close()
    await server.close()
    await nats.close()
    authority.close()
    await rm(base, { recursive: true, force: true })
  }, 60_000)

  const env = () => ({ ...process.env, CONTAINERS_REGISTRIES_CONF: registry.registriesConf })

  function call(...words: readonly string[]): string {
    return execFileSync(snap, ['--sysroot', disk.directory, ...words], {
      encoding: 'utf8',
      env: env(),
    }).trim()
  }

  function start(): void {
    const args = [join(base, 'agent.mjs'), 'run', '--config', join(base, 'agent.yaml')]
    agent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], env: env() })
  }

  async function kill(): Promise<void> {
    if (agent === null || agent.exitCode !== null) return
    const ended = new Promise((resolve) => agent?.once('exit', resolve))
    agent.kill('SIGKILL')
    await ended
  }

  function publish(version: string, checks: string[]): string {
    counter += 1
    const digest = digests.get(version) ?? ''
    const rollout = `edge-${counter}`
    const plan = planFor(hostId, version, {
      counter,
      rollout,
      generation: counter,
      image: { repository: `${registry.address}/os/edge`, digest, manifestDigest: digest, version },
      health: {
        units: [],
        http: [],
        checks,
        greenboot: false,
        reachController: false,
        stableForMs: 0,
        deadlineMs: 5_000,
      },
    })
    nats.connection.publish(planSubject(hostId), sealPlan(plan, authority.directorKey))
    return rollout
  }

  const current = () =>
    JSON.parse(call('status', '--json')) as { current: { digest: string }; default: { digest: string } }

  it('runs the image of its plan', async () => {
    const rollout = publish('1.0.0', [])
    const ended = await server.waitFor(
      (_, report) => report.phase === Phase.HEALTHY && report.plan?.rollout === rollout,
    )
    expect(ended).toMatchObject({ bootedDigest: digests.get('1.0.0'), facts: { osVersion: '1.0.0' } })
    expect(current().current.digest).toBe(digests.get('1.0.0'))
  })

  it('tells what a person changes in /etc of it, by name', async () => {
    await writeFile(join(disk.directory, 'etc/by-hand.conf'), 'a secret of this machine\n')
    await kill()
    start()
    const told = await server.waitFor(
      (_, { etcChanges }) => etcChanges?.changes.some(({ path }) => path === 'by-hand.conf') === true,
    )
    expect(told.etcChanges).toMatchObject({ problem: '', more: 0 })
    expect(told.etcChanges?.changes).toMatchObject([{ path: 'by-hand.conf', kind: 'added' }])
  })

  it('goes back when a check is missing, killed in the middle of it all', async () => {
    const rollout = publish('2.0.0', ['web-up'])
    const inPhase =
      (phase: Phase) => (_: string, report: { phase: Phase; plan?: { rollout: string } | undefined }) =>
        report.phase === phase && report.plan?.rollout === rollout
    await server.waitFor(inPhase(Phase.REBOOTING))
    await kill()
    start()
    const ended = await server.waitFor(inPhase(Phase.ROLLED_BACK))
    expect(ended).toMatchObject({
      bootedDigest: digests.get('1.0.0'),
      deniedDigests: [digests.get('2.0.0')],
      defaultDigest: digests.get('1.0.0'),
      health: { failedChecks: [{ name: 'web-up' }] },
      failure: {
        evidence: expect.arrayContaining([expect.stringMatching(/^marked bad: HealthFailed/)]) as string[],
      },
    })
    expect(current()).toMatchObject({
      current: { digest: digests.get('1.0.0') },
      default: { digest: digests.get('1.0.0') },
    })
  })

  it('frees what nothing needs any more once the next image is proven', async () => {
    const rollout = publish('3.0.0', [])
    await server.waitFor((_, report) => report.phase === Phase.HEALTHY && report.plan?.rollout === rollout)
    const deployed = (): string[] => {
      const status = JSON.parse(call('status', '--json')) as { deployments: { digest: string }[] }
      return status.deployments.map(({ digest }) => digest)
    }
    const digestOf = (version: string): string => digests.get(version) ?? ''
    await vi.waitFor(() => expect(deployed()).not.toContain(digestOf('2.0.0')), 90_000)
    expect(deployed()).toEqual(expect.arrayContaining([digestOf('1.0.0'), digestOf('3.0.0')]))
  })
})
