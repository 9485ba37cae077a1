import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import {
  GetStatusRequestSchema,
  ListHostsRequestSchema,
} from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  FleetStatus,
  GetStatusResponse,
  HostStatus,
  ListHostsResponse,
} from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../controller.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

/** Boots in software, and three of them where the image is broken. */
const patienceMs = 40 * 60 * 1000
const consoleTailLength = 6_000

export type Policy = {
  readonly checks?: readonly string[]
  /** As in git, for example 60s. */
  readonly health?: string
  readonly stableFor?: string
  /** Default: as in git, `Deny`. */
  readonly downgrade?: 'Allow'
}

/** One fleet of all the world's machines; the first of them is the canary. */
export function wantImage(world: World, digest: string, policy: Policy = {}): void {
  const { checks = [], downgrade = 'Deny', health = '3m', stableFor = '1s' } = policy
  const text = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: lab }
spec:
  selector: { matchLabels: { site: lab } }
  image: { repository: ${world.repository}, digest: ${digest} }
  strategy: careful
  downgrade: ${downgrade}
---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: careful }
spec:
  waves: [{ name: canary, upTo: 1 }]
  maxUnavailable: 1
  onFailure: Rollback
  deadlines: { download: 20m, activate: 30m, health: ${health} }
  health: { checks: ${JSON.stringify(checks)}, stableFor: ${stableFor} }
`
  world.git.commit({ 'fleet.yaml': text }, `Run ${digest.slice(0, 19)}`)
}

export async function fleetStatus(world: World): Promise<FleetStatus | undefined> {
  const response = await call<GetStatusResponse>((done) =>
    world.controller.operator.getStatus(
      create(GetStatusRequestSchema),
      { deadline: Date.now() + 60_000 },
      done,
    ),
  )
  return response.status?.fleets.find(({ name }) => name === 'lab')
}

export async function hosts(world: World): Promise<readonly HostStatus[]> {
  const response = await call<ListHostsResponse>((done) =>
    world.controller.operator.listHosts(
      create(ListHostsRequestSchema),
      { deadline: Date.now() + 60_000 },
      done,
    ),
  )
  return response.hosts
}

export type Seen = { readonly fleet: FleetStatus; readonly hosts: readonly HostStatus[] }

/** Look every half second until what the controller knows is as wanted; a failure shows what the machines showed. */
export async function untilSeen(
  world: World,
  machines: readonly Machine[],
  wanted: (seen: Seen) => boolean,
  timeoutMs = patienceMs,
): Promise<Seen> {
  let last: Seen | null = null
  for (const began = performance.now(); performance.now() - began < timeoutMs; await sleep(500)) {
    const fleet = await fleetStatus(world)
    if (fleet === undefined) continue
    last = { fleet, hosts: await hosts(world) }
    if (wanted(last)) return last
  }
  const state = last === null ? 'no fleet' : JSON.stringify(last, replaceBigInts)
  const consoles = await Promise.all(
    machines.map(
      async (machine) => `--- ${machine.name}\n${(await machine.console()).slice(-consoleTailLength)}`,
    ),
  )
  throw new Error(`the fleet stayed as it was: ${state}\n${consoles.join('\n')}`)
}

/** Every host runs it, boots it next and is healthy, and the fleet says so. */
export function settledOn(digest: string): (seen: Seen) => boolean {
  return ({ fleet, hosts: all }) =>
    fleet.state === 'Synced' && fleet.stableDigest === digest && all.every(isOn(digest))
}

export function isOn(digest: string): (host: HostStatus) => boolean {
  return (host) => host.connected && host.bootedDigest === digest && host.defaultDigest === digest
}

/** The fleet denied `broken` and every host is back on `good`. */
export function rolledBackFrom(broken: string, good: string): (seen: Seen) => boolean {
  return ({ fleet, hosts: all }) =>
    fleet.state === 'RolledBack' &&
    fleet.denied.some(({ digest }) => digest === broken) &&
    all.every(isOn(good))
}

function replaceBigInts(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
