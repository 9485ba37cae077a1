import { waveOf, withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Strategy } from '../../controller/desired-state/types.ts'
import { describeFleets, describeHosts, describeRollouts, explain } from '../../controller/rollout/engine.ts'
import type { FleetView } from '../../controller/rollout/fleet-views.ts'
import type { RolloutView } from '../../controller/rollout/rollout-views.ts'
import type { HostReport } from '../../controller/rollout/report.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { imageOf, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { dispatch, enrol, newWorld, settleAll, want } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

const minuteMs = 60_000

/** One wave of all hosts, stopped by the first failure, unless said otherwise. */
export function strategyWith(changes: Partial<Strategy> = {}): Strategy {
  const limit = { max: { kind: 'count', count: 0 }, minAttempted: 1 } as const
  return {
    ...withDefaults('test', {}),
    downloads: { maxConcurrent: 50, prefetch: 'None' },
    waves: [waveOf('all', { kind: 'percent', percent: 100 })],
    maxUnavailable: { kind: 'count', count: 1 },
    failureLimit: { firstWave: limit, later: limit },
    onFailure: { firstWave: 'Rollback', later: 'Rollback' },
    deadlines: {
      downloadMs: 30 * minuteMs,
      activateMs: 5 * minuteMs,
      healthMs: 5 * minuteMs,
      waveMs: 120 * minuteMs,
    },
    health: { units: [], http: [], checks: [], greenboot: false, reachController: false, stableForMs: 0 },
    ...changes,
  }
}

export function fleetWith(version: string, changes: Partial<WantedFleet> = {}): WantedFleet {
  return {
    name: 'edge',
    selector: { kind: 'all' },
    strategy: strategyWith(),
    suspend: false,
    revision: `rev-${version}`,
    image: imageOf(version),
    follows: null,
    pins: [],
    requires: [],
    downgrade: 'Deny',
    deny: [],
    ...changes,
  }
}

export function say(world: World, agent: SimulatedAgent, changes: Partial<HostReport> = {}): void {
  dispatch(world, { kind: 'report', hostId: agent.hostId, report: { ...reportOf(agent), ...changes } })
}

export function fleetView(world: World): FleetView {
  return describeFleets(world.state, nowOf(world)).find(({ name }) => name === 'edge') as FleetView
}

export function rolloutView(world: World): RolloutView {
  return describeRollouts(world.state, 'edge', nowOf(world))[0] as RolloutView
}

export function phaseOf(world: World, hostId: string): string | undefined {
  return describeHosts(world.state, null, nowOf(world)).find((host) => host.hostId === hostId)?.phase
}

export function why(world: World, hostId: string): string {
  return explain(world.state, hostId, nowOf(world)).kind
}

export function nowOf(world: World): { readonly wallMs: number; readonly elapsedMs: number } {
  return { wallMs: world.wallMs, elapsedMs: 0 }
}

/** A fleet `edge` whose hosts h0, h1… all run a version that is stable. */
export function rolledOut(version: string, count = 1): World {
  const world = newWorld()
  for (let index = 0; index < count; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  want(world, [fleetWith(version)], 'c1')
  settleAll(world)
  return world
}
