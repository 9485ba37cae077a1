import { nextPhase, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { connect, dispatch, restart } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

/** Every bucket is lost. Hosts are enrolled again as they were, and connect; git still says the same. */
export function wipe(world: World): void {
  const { store } = world
  const enrolments = [...store.enrolments.values()]
  for (const records of [store.fleets, store.rollouts, store.grants, store.hosts, store.enrolments]) {
    records.clear()
  }
  store.everyFleet = null
  const agents = new Map(world.agents)
  world.agents.clear()
  restart(world)
  for (const enrolment of enrolments) {
    dispatch(world, { kind: 'enrolled', enrolment: { ...enrolment, enrolledAtMs: world.wallMs } })
  }
  for (const [id, agent] of agents) {
    world.agents.set(id, agent)
    connect(world, agent)
  }
}

/** Boots another image, for which it has no plan. */
export function boot(world: World, agent: SimulatedAgent, digest: string): void {
  agent.digest = digest
  agent.boots += 1
  dispatch(world, { kind: 'report', hostId: agent.hostId, report: reportOf(agent) })
}

/** A person on it goes to another image; its agent lets go of what it did, and says so. */
export function moveByHand(world: World, agent: SimulatedAgent, digest: string, id = 'm1'): void {
  agent.moved = { id, user: 'kim', command: 'rollback', atMs: world.wallMs, digest }
  agent.phase = 'Idle'
  boot(world, agent, digest)
}

/** Nobody decides and nobody hears for that long; what hosts may do alone they do at once. */
export function away(world: World, ms: number): void {
  for (const agent of world.agents.values()) {
    for (let next = nextPhase(agent, world.wallMs, world.broken); next !== null;) {
      agent.phase = next
      next = nextPhase(agent, world.wallMs, world.broken)
    }
  }
  world.wallMs += ms
  restart(world)
}
