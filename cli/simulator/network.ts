import type { RolloutEvent } from '../../controller/rollout/events.ts'
import { dispatch, isLeading } from './controller.ts'
import { receivePlan } from './host.ts'
import type { SimulatedHost } from './host-model.ts'
import { reportOf } from './host-report.ts'
import { sign } from './plan-log.ts'
import { faultless, later } from './world-model.ts'
import type { World } from './world-model.ts'

const secondMs = 1_000
const latencyMs = 50
/** Nobody hears from a line that is dead before its keepalive did. */
const noticedAfterMs = 20 * secondMs
const heartbeatMs = 10 * secondMs
const lateMaxMs = 5 * 60 * secondMs
const reconnectMaxMs = 30 * secondMs

/** One connection stands for both: reports up, and the plans of the host's subject down. */
export function connectSoon(world: World, host: SimulatedHost): void {
  if (host.isConnected || host.isDead) return
  const { connection } = host
  later(world, latencyMs + host.random() * reconnectMaxMs * Math.min(1, host.spec.slowness), () => {
    if (host.isConnected || host.connection !== connection || host.state === null) return
    if (world.around.hasNetwork(host)) connect(world, host)
    else if (host.awayUntilMs > world.elapsedMs) awaitLine(world, host)
  })
}

function awaitLine(world: World, host: SimulatedHost): void {
  later(world, host.awayUntilMs - world.elapsedMs, () => connectSoon(world, host))
}

function connect(world: World, host: SimulatedHost): void {
  const { controller } = world
  if (!isLeading(controller)) return
  host.isConnected = true
  host.connection += 1
  host.told = ''
  controller.connected.add(host.spec.id)
  say(world, { kind: 'connection', hostId: host.spec.id, connected: true })
  tellController(world, host)
  fetchPlan(world, host)
}

/** The host's end is gone at once, the controller's when its keepalive fails. */
export function dropConnection(world: World, host: SimulatedHost): void {
  host.connection += 1
  if (!host.isConnected) return
  host.isConnected = false
  const hostId = host.spec.id
  later(world, noticedAfterMs, () => {
    if (host.isConnected || !world.controller.connected.delete(hostId)) return
    say(world, { kind: 'connection', hostId, connected: false })
  })
}

/** Only what changed is sent. */
export function tellController(world: World, host: SimulatedHost): void {
  if (!host.isConnected || host.state === null) return
  const { unguarded } = host.spec
  const report = { ...reportOf(host.state, host.saysArchitecture), ...(unguarded && { unguarded }) }
  const text = JSON.stringify(report)
  if (text === host.told) return
  host.told = text
  const hostId = host.spec.id
  carry(world, host, () => {
    say(world, { kind: 'report', hostId, report })
    catchUp(world, host)
  })
}

/** The host is ahead of the plans that are stored. */
function catchUp({ controller, office }: World, { spec: { id } }: SimulatedHost): void {
  const last = controller.plans.get(id)
  const accepted = controller.store.hosts.get(id)?.report.plan?.counter ?? 0
  if (!isLeading(controller) || last === undefined || accepted <= last.counter) return
  const wallMs = office.startMs + office.elapsedMs() + controller.clockMs
  const plan = sign(last.intent, last, { term: controller.term, wallMs, acceptedCounter: accepted })
  if (plan === null) return
  controller.plans.set(id, plan)
  office.publish(plan)
}

/** The last plan of the host's subject. */
export function fetchPlan(world: World, host: SimulatedHost): void {
  const plan = world.controller.plans.get(host.spec.id)
  if (plan === undefined || !host.isConnected) return
  carry(world, host, () => receivePlan(host, world.around, plan))
}

/** A message that is lost takes its connection with it; one that comes late or twice overtakes others. */
function carry(world: World, host: SimulatedHost, arrive: () => void): void {
  const { connection } = host
  const { doubled, late, lost } = world.elapsedMs < world.ratesUntilMs ? world.rates : faultless
  const luck = lost + doubled + late === 0 ? 1 : host.random()
  if (luck < lost) {
    dropConnection(world, host)
    connectSoon(world, host)
    return
  }
  const isLate = luck < lost + late
  later(world, isLate ? host.random() * lateMaxMs : latencyMs, () => {
    if (isLate || host.connection === connection) arrive()
    if (isLate) heartbeatLater(world, host)
  })
  if (!isLate && luck < lost + late + doubled) {
    later(world, host.random() * lateMaxMs, arrive)
    heartbeatLater(world, host)
  }
}

/** What overtook another message is put right by the next heartbeat, which always tells the newest. */
function heartbeatLater(world: World, host: SimulatedHost): void {
  later(world, heartbeatMs + lateMaxMs, () => {
    host.told = ''
    tellController(world, host)
    fetchPlan(world, host)
  })
}

function say({ controller, office }: World, event: RolloutEvent): void {
  dispatch(controller, office, event)
}
