import type { HostDeclaration } from '../../controller/desired-state/types.ts'
import type { Host } from '../../controller/rollout/state.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { fleetWith, rolledOut, say } from './rollout-fleet.ts'
import { want } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

export const off = ['mitigations=off']

/** Host h0 in git. */
export function declared(
  kernelArguments: readonly string[],
  changes: Partial<HostDeclaration> = {},
): readonly HostDeclaration[] {
  return [{ name: 'h0', labels: {}, pin: null, hold: null, kernelArguments, ...changes }]
}

export function agentOf(world: World, hostId = 'h0'): SimulatedAgent {
  return world.agents.get(hostId) as SimulatedAgent
}

export function grantOf(world: World, rolloutId = 'edge.1'): ReturnType<Host['grants']['get']> {
  return world.state.hosts.get('h0')?.grants.get(rolloutId)
}

/** Its hosts say what is on their kernels' lines, which is nothing from git. */
export function settled(count = 1): World {
  const world = rolledOut('1.0.0', count)
  for (const agent of world.agents.values()) {
    agent.kernelArguments = []
    say(world, agent)
  }
  return world
}

export function wantArguments(world: World, kernelArguments: readonly string[], commit: string): void {
  want(world, [fleetWith('1.0.0')], commit, { hosts: declared(kernelArguments) })
}
