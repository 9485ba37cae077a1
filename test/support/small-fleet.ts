import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { GetStatusRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { FleetStatus, GetStatusResponse, Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, startController } from './controller.ts'
import type { Controller } from './controller.ts'
import { createGitRepository } from './git-repository.ts'
import type { GitRepository } from './git-repository.ts'
import { startNatsServer } from './nats-server.ts'
import type { NatsServer } from './nats-server.ts'
import { startRegistry } from './registry.ts'
import type { Registry } from './registry.ts'
import { startSimulatedFleet } from './simulated-fleet.ts'
import type { SimulatedFleet } from './simulated-fleet.ts'

export type SmallFleet = {
  readonly dir: string
  readonly nats: NatsServer
  readonly registry: Registry
  readonly git: GitRepository
  readonly controller: Controller
  /** Text of a fleet "edge" of all hosts, one host at a time after a canary. */
  fleetFile(image: string, more?: string): string
  startHosts(hosts: number, seedDigest: string, at?: Controller): Promise<SimulatedFleet>
  stop(): Promise<void>
}

/** Real nats, git, registry and controller; the source is polled only when asked, unless told otherwise. */
export async function openSmallFleet(
  options: {
    readonly pollInterval?: string
    readonly settings?: Readonly<Record<string, unknown>>
    /** Where hosts join, and come back. Default: nowhere. */
    readonly joinAddress?: string
  } = {},
): Promise<SmallFleet> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-small-'))
  const nats = await startNatsServer({ dir: join(dir, 'nats'), trustDir: join(dir, 'trust') })
  const registry = await startRegistry(dir)
  const git = createGitRepository(dir)
  git.commit({ 'README.txt': 'the fleet' }, 'Begin')
  const controller = await startController({
    dir,
    gitUrl: git.url,
    nats,
    plainHttpHosts: [registry.address],
    pollInterval: options.pollInterval ?? '1h',
    settings: {
      ...(options.joinAddress === undefined ? {} : { join: { listen: options.joinAddress } }),
      ...options.settings,
    },
  })
  const fleets: SimulatedFleet[] = []
  return {
    dir,
    nats,
    registry,
    git,
    controller,
    fleetFile: (image, more = '') => fleetFile(registry.address, image, more),
    async startHosts(hosts, digest, at = controller) {
      const seed = { digest, version: '1.0.0' }
      const fleet = await startSimulatedFleet({
        dir,
        hosts,
        controller: at,
        nats,
        seed,
        joinAddress: options.joinAddress,
      })
      fleets.push(fleet)
      return fleet
    },
    async stop() {
      for (const fleet of fleets) await fleet.stop()
      controller.operator.close()
      await controller.stop()
      await registry.stop()
      await nats.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function fleetFile(registry: string, image: string, more: string): string {
  return `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: ${registry}/os/edge, ${image} }
  strategy: single
${more}---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: single }
spec:
  waves: [{ name: canary, upTo: 1, soak: 1s }]
  maxUnavailable: 1
  onFailure: Rollback
  health: { checks: [web-up] }
`
}

export async function statusOf({ operator }: Controller): Promise<Status> {
  const response = await call<GetStatusResponse>((done) =>
    operator.getStatus(create(GetStatusRequestSchema), { deadline: Date.now() + 60_000 }, done),
  )
  if (response.status === undefined) throw new Error('the controller answered without a status')
  return response.status
}

export async function untilStatus(
  controller: Controller,
  wanted: (status: Status) => boolean,
): Promise<Status> {
  let last: Status | undefined
  for (const began = Date.now(); Date.now() - began < 180_000; await sleep(50)) {
    last = await statusOf(controller)
    if (wanted(last)) return last
  }
  const text = JSON.stringify(last, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  )
  throw new Error(`the status stayed ${text}`)
}

export function edgeOf(status: Status): FleetStatus | undefined {
  return status.fleets.find(({ name }) => name === 'edge')
}

export const runs =
  (digest: string) =>
  (status: Status): boolean => {
    const fleet = edgeOf(status)
    return (
      fleet?.state === 'Synced' && fleet.stableDigest === digest && fleet.hostsUpdated === fleet.hostsTotal
    )
  }

/**
 * Waits until nothing moves, and returns how many hosts are updated. A paused host may stand staged, waiting for
 * its slot, for as long as the pause lasts.
 */
export async function updatedWhenStill(controller: Controller): Promise<number> {
  let last = ''
  for (let looks = 0; looks < 30; looks += 1) {
    const fleet = edgeOf(await statusOf(controller))
    const now = JSON.stringify([
      fleet?.hostsUpdated,
      fleet?.rollout?.attention.map(({ hostName, phase }) => [hostName, phase]),
    ])
    if (now === last) return fleet?.hostsUpdated ?? 0
    last = now
    await sleep(2_000)
  }
  throw new Error(`the fleet did not come to rest: ${last}`)
}
