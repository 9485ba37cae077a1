import type { RolloutVerb } from '../../controller/rollout/events.ts'
import { isLeading, nowOf, start, stop, wipe } from './controller.ts'
import { comeUp, endAgent, goDown, startAgent, wallOf } from './host.ts'
import type { SimulatedHost } from './host-model.ts'
import { connectSoon, dropConnection } from './network.ts'
import type { Fault, Operation } from './scenario.ts'
import { later } from './world-model.ts'
import type { World } from './world-model.ts'
import { say } from './world.ts'

const secondMs = 1_000
/** Long enough for whoever would grant it something to do so. */
const RESUMED_AFTER_MS = 6 * 3_600_000

/** What operators and git do. */
export function operate(world: World, operation: Operation): void {
  switch (operation.kind) {
    case 'commit':
      push(world, operation)
      return
    case 'relabel':
      relabel(world, operation)
      return
    case 'deny':
    case 'allow':
    case 'halt':
    case 'unhalt':
      decree(world, operation)
      return
    case 'pause':
    case 'resume':
    case 'promote':
    case 'approve':
    case 'abort':
    case 'rollback':
    case 'retry':
      tellRollout(world, operation)
  }
}

function relabel(world: World, { host, labels }: Extract<Operation, { kind: 'relabel' }>): void {
  const enrolment = world.controller.store.enrolments.get(host)
  if (enrolment === undefined) return
  world.watch.onHappening(world, `relabel ${host} ${JSON.stringify(labels)}`)
  say(world, { kind: 'enrolled', enrolment: { ...enrolment, labels } })
}

type Decree = Extract<Operation, { kind: 'deny' | 'allow' | 'halt' | 'unhalt' }>

function decree(world: World, operation: Decree): void {
  world.watch.onHappening(world, `kim: ${operation.kind} ${operation.fleet ?? 'all'}`)
  say(world, { reason: 'simulated', ...operation, actor: 'kim' })
}

function push(
  world: World,
  { commit, fleets, freezes, hosts }: Extract<Operation, { kind: 'commit' }>,
): void {
  const { controller } = world
  controller.wanted = { commit, fleets, freezes, hosts }
  const named = fleets.map(({ image, name }) => `${name}=${image?.version ?? 'followed'}`)
  world.watch.onHappening(world, `git: ${commit} ${named.join(' ')}`)
  if (isLeading(controller)) say(world, { kind: 'wanted', ...controller.wanted })
}

type Told = Extract<Operation, { readonly kind: RolloutVerb['kind'] | 'retry' }>

function tellRollout(world: World, operation: Told): void {
  const rolloutId = world.controller.store.fleets.get(operation.fleet)?.rolloutId
  if (rolloutId === null || rolloutId === undefined) return
  const { kind } = operation
  const said = { rolloutId, actor: 'kim', reason: 'simulated' }
  world.watch.onHappening(world, `kim: ${kind} ${rolloutId}`)
  say(world, kind === 'retry' ? { ...said, kind, hostId: operation.host } : { ...said, kind })
}

export function strike(world: World, fault: Fault): void {
  if ('host' in fault) {
    const host = world.hosts.get(fault.host)
    if (host === undefined || host.isDead) return
    world.watch.onHappening(world, `fault: ${fault.kind} ${fault.host}`)
    strikeHost(world, host, fault)
    return
  }
  const { controller } = world
  world.watch.onHappening(world, `fault: ${fault.kind}`)
  switch (fault.kind) {
    case 'controllerCrash':
    case 'storeRestart':
      controller.cut = fault
      return
    case 'controllerStop':
      if (!isLeading(controller)) return
      stop(controller, world.office, 'controllerCrash')
      later(world, fault.downMs, () => start(controller, world.office))
      return
    case 'storeWiped':
      loseStore(world, fault.downMs)
      return
    case 'controllerClock':
      controller.clockMs += fault.byMs
      return
    case 'badNetwork':
      world.rates = fault.rates
      world.ratesUntilMs = world.elapsedMs + fault.forMs
  }
}

function loseStore(world: World, downMs: number): void {
  const { controller, office } = world
  if (isLeading(controller)) stop(controller, office, 'controllerCrash')
  const enrolments = wipe(controller)
  later(world, downMs, () => {
    start(controller, office)
    const enrolledAtMs = nowOf(controller, office).wallMs
    for (const enrolment of enrolments)
      say(world, { kind: 'enrolled', enrolment: { ...enrolment, enrolledAtMs } })
  })
}

type HostFault = Extract<Fault, { readonly host: string }>

function strikeHost(world: World, host: SimulatedHost, fault: HostFault): void {
  switch (fault.kind) {
    case 'hostDies':
      goDown(host, world.around)
      host.isDead = true
      return
    case 'hostAway':
      leave(world, host, fault.forMs)
      return
    case 'hostOff':
      cutPower(world, host, fault.forMs)
      return
    case 'hostFlaps':
      for (let time = 0; time < fault.times; time += 1) {
        later(world, time * fault.everyMs, () => leave(world, host, fault.everyMs / 2))
      }
      return
    case 'agentCrash':
      if (host.state === null) return
      endAgent(host)
      dropConnection(world, host)
      later(world, 5 * secondMs, () => restartAgent(world, host))
      return
    case 'movedByHand':
      moveByHand(world, host)
      return
    case 'hostLies':
      host.saysArchitecture = fault.architecture
      return
    case 'hostClock':
      host.clockMs += fault.byMs
  }
}

function restartAgent(world: World, host: SimulatedHost): void {
  if (host.state !== null || !host.isOn || host.isDead) return
  startAgent(host, world.around)
  connectSoon(world, host)
}

function leave(world: World, host: SimulatedHost, forMs: number): void {
  if (host.isDead) return
  host.awayUntilMs = Math.max(host.awayUntilMs, world.elapsedMs + forMs)
  dropConnection(world, host)
  later(world, forMs, () => connectSoon(world, host))
}

function cutPower(world: World, host: SimulatedHost, forMs: number): void {
  goDown(host, world.around)
  const { process } = host
  later(world, forMs, () => {
    if (host.process === process && !host.isDead) comeUp(host, world.around)
  })
}

/** Whether or not the controller has heard of it by now. */
function resumeHost(world: World, { machine, spec }: SimulatedHost): void {
  if (machine.moved === null) return
  world.watch.onHappening(world, `kim: resume host ${spec.id}`)
  const said = { actor: 'kim', reason: 'simulated' }
  say(world, { kind: 'resumeHost', hostId: spec.id, moveId: machine.moved.id, ...said })
}

function moveByHand(world: World, host: SimulatedHost): void {
  const { machine } = host
  const other = [...machine.deployments.values()].find(
    ({ bad, deploymentId }) => bad === null && deploymentId !== machine.current,
  )
  if (other === undefined || machine.trying !== null) return
  machine.default = other.deploymentId
  const id = `${machine.hostId}-moved${machine.boots}`
  const atMs = wallOf(host, world.around)
  machine.moved = { id, user: 'kim', command: 'rollback', atMs, digest: other.digest }
  cutPower(world, host, 60 * secondMs)
  later(world, RESUMED_AFTER_MS, () => resumeHost(world, host))
}
