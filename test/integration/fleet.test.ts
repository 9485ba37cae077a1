import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GetStatusRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { FleetStatus, GetStatusResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, startController } from '../support/controller.ts'
import type { Controller } from '../support/controller.ts'
import { createGitRepository } from '../support/git-repository.ts'
import type { GitRepository } from '../support/git-repository.ts'
import { startNatsServer } from '../support/nats-server.ts'
import type { NatsServer } from '../support/nats-server.ts'
import { startRegistry } from '../support/registry.ts'
import type { Registry } from '../support/registry.ts'
import { startSimulatedFleet } from '../support/simulated-fleet.ts'
import type { SimulatedFleet } from '../support/simulated-fleet.ts'

let dir: string
let nats: NatsServer
let registry: Registry
let git: GitRepository
let controller: Controller

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-fleet-'))
  nats = await startNatsServer()
  registry = await startRegistry(dir)
  git = createGitRepository(dir)
  git.commit({ 'README.txt': 'the fleet' }, 'Begin')
  controller = await startController({ dir, gitUrl: git.url, nats, plainHttpHosts: [registry.address] })
})

afterEach(async () => {
  controller.operator.close()
  await controller.stop()
  await registry.stop()
  await nats.stop()
  await rm(dir, { recursive: true, force: true })
})

function fleetFile(digest: string): string {
  return `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { matchLabels: { site: eu } }
  image: { repository: ${registry.address}/os/edge, digest: ${digest} }
  strategy: three
---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: three }
spec:
  waves: [{ name: canary, upTo: 1, soak: 1s }, { name: tenth, upTo: 10%, soak: 1s }]
  maxUnavailable: 20%
  onFailure: Rollback
  health: { checks: [web-up] }
`
}

async function fleetStatus(): Promise<FleetStatus | undefined> {
  const response = await call<GetStatusResponse>((done) =>
    controller.operator.getStatus(create(GetStatusRequestSchema), { deadline: Date.now() + 60_000 }, done),
  )
  return response.status?.fleets.find(({ name }) => name === 'edge')
}

/** Poll until the fleet is as wanted; `onLook` may do harm in between. */
async function untilFleet(
  wanted: (fleet: FleetStatus) => boolean,
  onLook: (fleet: FleetStatus) => Promise<void> = async () => {},
): Promise<FleetStatus> {
  let last: FleetStatus | undefined
  for (const began = Date.now(); Date.now() - began < 250_000; await sleep(100)) {
    last = await fleetStatus()
    if (last !== undefined && wanted(last)) return last
    if (last !== undefined) await onLook(last)
  }
  throw new Error(`the fleet stayed ${last?.state}: ${last?.message}`)
}

const running = (digest: string) => (fleet: FleetStatus) =>
  fleet.state === 'Synced' && fleet.stableDigest === digest && fleet.hostsUpdated === fleet.hostsTotal

type World = { readonly fleet: SimulatedFleet; readonly first: string }

/** Hosts that run 1.0.0 because git says so. */
async function withFleet(
  hosts: number,
  { stepDelayMs = 20 }: { readonly stepDelayMs?: number },
  work: (world: World) => Promise<void>,
): Promise<void> {
  const first = await registry.pushEmptyImage('os/edge', '1.0.0')
  const seed = { digest: first, version: '1.0.0' }
  const fleet = await startSimulatedFleet({
    dir,
    hosts,
    stepDelayMs,
    controller,
    nats,
    seed,
  })
  try {
    git.commit({ 'fleet.yaml': fleetFile(first) }, 'Run 1.0.0')
    await untilFleet((now) => running(first)(now) && now.hostsTotal === hosts)
    expect(fleet.unavailableMax()).toBe(0)
    await work({ fleet, first })
  } finally {
    await fleet.stop()
  }
}

test('two hundred hosts follow three waves over real NATS and gRPC and never exceed maxUnavailable', () =>
  withFleet(200, {}, async ({ fleet }) => {
    const second = await registry.pushEmptyImage('os/edge', '2.0.0')
    git.commit({ 'fleet.yaml': fleetFile(second) }, 'Run 2.0.0')
    const end = await untilFleet(running(second))
    expect(end.hostsHealthy).toBe(200)
    expect(end.rollout?.waves.map(({ name, hostsSucceeded }) => [name, hostsSucceeded])).toEqual([
      ['canary', 1],
      ['tenth', 19],
      ['rest', 180],
    ])
    expect(fleet.unavailableMax()).toBeGreaterThan(1)
    expect(fleet.unavailableMax()).toBeLessThanOrEqual(40)
  }))

test('a rollout ends right through kill -9 of controller and nats-server in every phase, within its caps', () =>
  withFleet(12, { stepDelayMs: 500 }, async ({ fleet }) => {
    const second = await registry.pushEmptyImage('os/edge', '2.0.0')
    git.commit({ 'fleet.yaml': fleetFile(second) }, 'Run 2.0.0')
    const harmed = new Set<string>()
    await untilFleet(running(second), async ({ rollout }) => {
      if (rollout?.digest !== second) return
      const waves = rollout.waves
        .filter(({ state }) => state === 'Soaking')
        .map(({ name }) => `${name} soaks`)
      const phases = rollout.attention.map(({ phase }) => phase).filter((phase) => phase !== 'Pending')
      const moment = [...waves, ...phases].find((each) => !harmed.has(each))
      if (moment === undefined) return
      harmed.add(moment)
      await controller.kill9()
      await nats.kill9()
      await nats.restart()
      await controller.start()
    })
    expect([...harmed]).toEqual(
      expect.arrayContaining(['canary soaks', 'Downloading', 'Activating', 'Rebooting']),
    )
    expect(harmed.size).toBeGreaterThanOrEqual(6)
    expect(fleet.unavailableMax()).toBeLessThanOrEqual(3)
  }))

test('a broken image stops at the canary, is denied, and every host runs the image from before', () =>
  withFleet(20, {}, async ({ fleet, first }) => {
    const broken = await registry.pushEmptyImage('os/edge', '2.0.0-broken')
    git.commit({ 'fleet.yaml': fleetFile(broken) }, 'Run a broken image')
    const end = await untilFleet(({ state }) => state === 'RolledBack')
    expect(end.message).toContain('web-up')
    expect(end.denied.map(({ digest }) => digest)).toEqual([broken])
    expect(end.stableDigest).toBe(first)
    expect(fleet.unavailableMax()).toBe(1)
  }))
