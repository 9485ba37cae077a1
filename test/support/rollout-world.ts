import { apply, open } from '../../controller/rollout/engine.ts'
import type { RolloutEngineState } from '../../controller/rollout/engine.ts'
import type {
  Decision,
  EnrolmentRecord,
  FleetRecord,
  GrantRecord,
  HostRecord,
  HostReport,
  PlanIntent,
  Records,
  ResolvedImage,
  RolloutEvent,
  RolloutRecord,
  WantedFleet,
  Write,
} from '../../controller/rollout/types.ts'

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

export type Store = {
  readonly fleets: Map<string, FleetRecord>
  readonly rollouts: Map<string, RolloutRecord>
  readonly grants: Map<string, GrantRecord>
  readonly hosts: Map<string, HostRecord>
  readonly enrolments: Map<string, EnrolmentRecord>
}

export type Behaviour = 'good' | 'bad' | 'silent'

export type SimulatedAgent = {
  readonly hostId: string
  readonly refuses: Set<string>
  behaviour: Behaviour
  plan: PlanIntent | null
  phase: HostReport['phase']
  digest: string
  before: string
  boots: number
  checked: boolean
}

export const startMs = Date.UTC(2026, 0, 1)

export function imageOf(version: string): ResolvedImage {
  const digest = `sha256:${version.replaceAll('.', '').padEnd(64, '0')}`
  return { repository: 'os', digest, version, manifests: { amd64: `${digest.slice(0, -1)}a` } }
}

export function newWorld(observe: World['observe'] = () => undefined): World {
  const store = {
    fleets: new Map(),
    rollouts: new Map(),
    grants: new Map(),
    hosts: new Map(),
    enrolments: new Map(),
  }
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

export function recordsOf(store: Store): Records {
  return {
    fleets: [...store.fleets.values()],
    rollouts: [...store.rollouts.values()],
    grants: [...store.grants.values()],
    hosts: [...store.hosts.values()],
    enrolments: [...store.enrolments.values()],
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
  if (limit !== null && decision.writes.length > 0) {
    world.crashAfterWrites = null
    world.observe(event, { ...decision, writes: decision.writes.slice(0, limit), publishes: [] })
    for (const write of decision.writes.slice(0, limit)) persist(world.store, write)
    restart(world)
    return
  }
  world.observe(event, decision)
  for (const write of decision.writes) persist(world.store, write)
  for (const intent of decision.publishes) receivePlan(world, intent)
  world.wakeInMs = decision.wakeInMs
}

function persist(store: Store, write: Write): void {
  switch (write.kind) {
    case 'fleet':
      store.fleets.set(write.record.fleet, write.record)
      return
    case 'rollout':
      store.rollouts.set(write.record.id, write.record)
      return
    case 'grant':
      store.grants.set(`${write.record.rolloutId} ${write.record.hostId}`, write.record)
      return
    case 'host':
      store.hosts.set(write.record.hostId, write.record)
  }
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
    refuses: new Set(),
    behaviour: 'good',
    plan: null,
    phase: 'Idle',
    digest,
    before: digest,
    boots: 1,
    checked: true,
  }
  world.agents.set(hostId, agent)
  const enrolment = { hostId, name: hostId, labels, enrolledAtMs: world.wallMs }
  dispatch(world, { kind: 'enrolled', enrolment })
  connect(world, agent)
  return agent
}

export function reportOf(agent: SimulatedAgent): HostReport {
  const { plan } = agent
  const failed = agent.phase === 'RolledBack' || agent.phase === 'RollingBack'
  return {
    plan: plan && {
      rollout: plan.rollout,
      generation: plan.generation,
      attempt: plan.attempt,
      term: 1,
      counter: 1,
    },
    phase: agent.phase,
    bootedDigest: agent.digest,
    bootedManifestDigest: `${agent.digest.slice(0, -1)}a`,
    targetDigest: plan?.image.digest ?? null,
    bootId: `${agent.hostId}-boot-${agent.boots}`,
    health: {
      verdict: agent.phase === 'Verifying' ? 'Unknown' : agent.phase === 'RollingBack' ? 'Failed' : 'Passed',
      failedChecks: failed ? [{ name: 'web-up', detail: 'exit status 1' }] : [],
    },
    failure: null,
    architecture: 'amd64',
    deniedDigests: [...agent.refuses],
    phaseEnteredAtMs: 0,
  }
}

/** As the real agent: an older plan is refused; the same step again changes only its grants. */
function receivePlan(world: World, intent: PlanIntent): void {
  const agent = world.agents.get(intent.hostId)
  if (agent === undefined || (agent.plan !== null && intent.generation < agent.plan.generation)) return
  const isCommitted = ['Activating', 'Rebooting', 'Verifying', 'RollingBack'].includes(agent.phase)
  if (isCommitted) return
  const same =
    agent.plan?.rollout === intent.rollout &&
    agent.plan.attempt === intent.attempt &&
    agent.plan.image.digest === intent.image.digest
  agent.plan = intent
  if (same) return
  agent.phase = agent.digest === intent.image.digest ? 'Healthy' : 'Idle'
}

/** One move of the update machine, if there is one; what it leads to is reported. */
export function move(world: World, agent: SimulatedAgent): boolean {
  if (agent.behaviour === 'silent') return false
  const next = nextPhase(world, agent)
  if (next === null) return false
  agent.phase = next
  dispatch(world, { kind: 'report', hostId: agent.hostId, report: reportOf(agent) })
  return true
}

function nextPhase(world: World, agent: SimulatedAgent): SimulatedAgent['phase'] | null {
  const { plan } = agent
  if (plan === null) return null
  const target = plan.image.digest
  switch (agent.phase) {
    case 'Idle':
    case 'Healthy':
    case 'Failed':
    case 'RolledBack':
      if (agent.digest === target) return null
      return (plan.stageUntilMs ?? 0) > world.wallMs && agent.phase === 'Idle' ? 'Downloading' : null
    case 'Downloading':
      return 'Staging'
    case 'Ready':
    case 'Staging':
      return 'Staged'
    case 'Staged':
      return (plan.activateUntilMs ?? 0) > world.wallMs ? 'Activating' : null
    case 'Activating':
      return 'Rebooting'
    case 'Rebooting':
      agent.boots += 1
      agent.before = agent.digest
      agent.digest = target
      return 'Verifying'
    case 'Verifying':
      return agent.behaviour === 'bad' || world.broken.has(agent.digest) ? 'RollingBack' : 'Healthy'
    case 'RollingBack':
      agent.boots += 1
      agent.digest = agent.before
      agent.refuses.add(target)
      return 'RolledBack'
  }
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
  world.wallMs = end
}

export function want(world: World, fleets: readonly WantedFleet[], commit: string): void {
  dispatch(world, { kind: 'wanted', commit, fleets })
}

export function silence(world: World, agent: SimulatedAgent): void {
  agent.behaviour = 'silent'
  dispatch(world, { kind: 'connection', hostId: agent.hostId, connected: false })
}
