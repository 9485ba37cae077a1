import type { Decision } from '../../controller/rollout/decision.ts'
import { apply, open } from '../../controller/rollout/engine.ts'
import type { RolloutEngineState } from '../../controller/rollout/engine.ts'
import type { RolloutEvent } from '../../controller/rollout/events.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { nextPhase, receivePlan, reportOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import { emptyStore, persist, recordsOf, stepsOf } from '../../cli/simulator/store.ts'
import type { Store } from '../../cli/simulator/store.ts'

/** A store, a controller core and agents around one virtual clock; what each call decided is told to `observe`. */
export type World = {
  wallMs: number
  lastCallMs: number
  state: RolloutEngineState
  wakeInMs: number | null
  wanted: Extract<RolloutEvent, { readonly kind: 'wanted' }> | null
  readonly store: Store
  /** Digests that fail their health check everywhere. */
  readonly broken: Set<string>
  readonly agents: Map<string, SimulatedAgent>
  readonly observe: (event: RolloutEvent | { readonly kind: 'open' }, decision: Decision) => void
  /** Writes after which the next decision is cut off by a crash; null: none. */
  crashAfterWrites: number | null
}

export const startMs = Date.UTC(2026, 0, 1)

export function newWorld(observe: World['observe'] = () => undefined): World {
  const store = emptyStore()
  const opened = open(recordsOf(store), { wallMs: startMs, elapsedMs: 0 })
  return {
    wallMs: startMs,
    lastCallMs: startMs,
    state: opened.state,
    wakeInMs: null,
    wanted: null,
    store,
    broken: new Set(),
    agents: new Map(),
    observe,
    crashAfterWrites: null,
  }
}

export function dispatch(world: World, event: RolloutEvent): void {
  const now = { wallMs: world.wallMs, elapsedMs: world.wallMs - world.lastCallMs }
  world.lastCallMs = world.wallMs
  if (event.kind === 'wanted') world.wanted = event
  if (event.kind === 'enrolled') world.store.enrolments.set(event.enrolment.hostId, event.enrolment)
  const step = apply(world.state, event, now)
  world.state = step.state
  settle(world, event, step.decision)
}

function settle(world: World, event: RolloutEvent | { readonly kind: 'open' }, decision: Decision): void {
  const limit = world.crashAfterWrites
  const writes = decision.writes.flatMap(stepsOf)
  if (limit !== null && writes.length > 0) {
    world.crashAfterWrites = null
    world.observe(event, { ...decision, writes: writes.slice(0, limit), publishes: [], measures: [] })
    for (const write of writes.slice(0, limit)) persist(world.store, write)
    restart(world)
    return
  }
  world.observe(event, decision)
  for (const write of decision.writes) persist(world.store, write)
  for (const intent of decision.publishes) {
    const agent = world.agents.get(intent.hostId)
    if (agent !== undefined) receivePlan(agent, intent)
  }
  world.wakeInMs = decision.wakeInMs
}

/** A new controller process: it knows the records, hears who is connected, and reads the source again. */
export function restart(world: World): void {
  const opened = open(recordsOf(world.store), { wallMs: world.wallMs, elapsedMs: 0 })
  world.state = opened.state
  world.lastCallMs = world.wallMs
  settle(world, { kind: 'open' }, opened.decision)
  for (const agent of world.agents.values()) connect(world, agent)
  if (world.wanted !== null) dispatch(world, world.wanted)
}

export function connect(world: World, agent: SimulatedAgent): void {
  if (agent.behaviour === 'silent') return
  dispatch(world, { kind: 'connection', hostId: agent.hostId, connected: true })
  dispatch(world, { kind: 'report', hostId: agent.hostId, report: reportOf(agent) })
}

export function enrol(
  world: World,
  hostId: string,
  digest: string,
  labels: Readonly<Record<string, string>> = {},
): SimulatedAgent {
  const agent: SimulatedAgent = {
    hostId,
    architecture: labels['arch'] ?? 'amd64',
    refuses: new Set(),
    behaviour: 'good',
    plan: null,
    phase: 'Idle',
    digest,
    before: digest,
    boots: 1,
    checked: true,
    ill: false,
    undecided: false,
    failing: null,
  }
  world.agents.set(hostId, agent)
  const enrolment = { hostId, name: hostId, labels, enrolledAtMs: world.wallMs }
  dispatch(world, { kind: 'enrolled', enrolment })
  connect(world, agent)
  return agent
}

/** One move of the update machine, if there is one; what it leads to is reported. */
export function move(world: World, agent: SimulatedAgent): boolean {
  if (agent.behaviour === 'silent') return false
  const next = nextPhase(agent, world.wallMs, world.broken)
  if (next === null) return false
  agent.phase = next
  dispatch(world, { kind: 'report', hostId: agent.hostId, report: reportOf(agent) })
  return true
}

/** Lets agents and immediate wake-ups go on until nothing moves at this instant. */
export function settleAll(world: World, order: readonly string[] = [...world.agents.keys()]): void {
  for (let round = 0; round < 200; round += 1) {
    let moved = false
    while (world.wakeInMs === 0) {
      dispatch(world, { kind: 'timer' })
      moved = true
    }
    for (const id of order) moved = move(world, world.agents.get(id) as SimulatedAgent) || moved
    if (!moved) return
  }
  throw new Error('the world does not come to rest')
}

/** Passes time in the steps that the engine asked for. */
export function pass(world: World, ms: number): void {
  const end = world.wallMs + ms
  settleAll(world)
  while (world.wakeInMs !== null && world.wallMs + world.wakeInMs <= end) {
    world.wallMs += world.wakeInMs
    world.wakeInMs = null
    dispatch(world, { kind: 'timer' })
    settleAll(world)
  }
  if (world.wakeInMs !== null) world.wakeInMs -= end - world.wallMs
  world.wallMs = end
}

/** What a commit says of hosts and freezes stays as it was unless said otherwise. */
export function want(
  world: World,
  fleets: readonly WantedFleet[],
  commit: string,
  others: Partial<Pick<NonNullable<World['wanted']>, 'hosts' | 'freezes'>> = {},
): void {
  const { hosts = [], freezes = [] } = { ...world.wanted, ...others }
  dispatch(world, { kind: 'wanted', commit, fleets, hosts, freezes })
}

/** What the host runs begins to fail. */
export function fallIll(world: World, agent: SimulatedAgent): void {
  agent.ill = true
  if (agent.behaviour !== 'silent') {
    dispatch(world, { kind: 'report', hostId: agent.hostId, report: reportOf(agent) })
  }
}

export function silence(world: World, agent: SimulatedAgent): void {
  agent.behaviour = 'silent'
  dispatch(world, { kind: 'connection', hostId: agent.hostId, connected: false })
}
