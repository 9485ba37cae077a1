import type { Explanation } from '../../../controller/rollout/explain.ts'
import type { WantedFleet } from '../../../controller/rollout/wanted.ts'
import { nowOf, start } from '../controller.ts'
import { comeUp, losesNetwork } from '../host.ts'
import type { SimulatedHost } from '../host-model.ts'
import { madeUpImage } from '../images.ts'
import { runningOf } from '../machine.ts'
import { labelsOf, ownersOf } from '../population.ts'
import { connectSoon, tellController } from '../network.ts'
import { later } from '../world-model.ts'
import type { World } from '../world-model.ts'
import { runUntil, say } from '../world.ts'
import { hold } from './broken.ts'

const hourMs = 3_600_000
const patienceMs = 21 * 24 * hourMs
/** With hosts that are gone for good a fleet may wait for them for ever, so it is not watched for as long. */
const patienceWithGoneMs = 6 * 24 * hourMs

/**
 * From here on nothing goes wrong, git names a good image, and an operator resumes (hosts on which somebody chose too) and approves whatever waits for
 * one: every fleet must come to it. With hosts that are gone for good it may also wait, if it says why.
 */
export function checkConverges(world: World): void {
  calm(world)
  const wanted = world.controller.wanted?.fleets ?? []
  if (wanted.length === 0) return
  const last = madeUpImage('registry.example/os', '99.0.0')
  const fleets = wanted.map((fleet): WantedFleet => {
    const deadlines = { ...fleet.strategy.deadlines, downloadMs: 4 * hourMs }
    const strategy = { ...fleet.strategy, deadlines }
    const revision = `${fleet.name} last`
    const free = {
      requires: [],
      pins: [],
      deny: [],
      downgrade: 'Allow',
      follows: null,
      suspend: false,
    } as const
    return { ...fleet, ...free, strategy, image: last, revision }
  })
  const said = { actor: 'kim', reason: 'simulated' }
  for (const fleet of [null, ...wanted.map(({ name }) => name)])
    say(world, { kind: 'unhalt', fleet, ...said })
  const commit = { commit: 'last', fleets, hosts: [], freezes: [] }
  world.controller.wanted = commit
  say(world, { kind: 'wanted', ...commit })
  const beganMs = world.elapsedMs
  while (world.elapsedMs < beganMs + patienceMs && !isDone(world)) {
    if (world.elapsedMs > beganMs + patienceWithGoneMs && onlyGoneAreAwaited(world)) break
    help(world)
    runUntil(world, world.elapsedMs + hourMs)
  }
  for (const { name } of fleets) checkFleet(world, name, last.digest)
}

/** Who is away comes back, who is off is switched on, clocks are right; the dead stay dead. */
function calm(world: World): void {
  const { controller, office } = world
  controller.cut = null
  start(controller, office)
  world.ratesUntilMs = 0
  for (const host of world.hosts.values()) {
    host.clockMs = controller.clockMs
    host.saysArchitecture = host.spec.architecture
    host.awayUntilMs = 0
    const { process } = host
    later(world, hourMs / 2, () => {
      if (!host.isOn && !host.isDead && host.process === process) comeUp(host, world.around)
      host.told = ''
      tellController(world, host)
      connectSoon(world, host)
    })
  }
  runUntil(world, world.elapsedMs + hourMs)
}

function rolloutsOf({ controller: { store, wanted } }: World) {
  return (wanted?.fleets ?? []).flatMap(({ name }) => {
    const rollout = store.rollouts.get(store.fleets.get(name)?.rolloutId ?? '')
    return rollout === undefined ? [] : [rollout]
  })
}

function isDone(world: World): boolean {
  const rollouts = rolloutsOf(world)
  return rollouts.length > 0 && rollouts.every(({ state }) => state.kind === 'Succeeded') && areIdle(world)
}

function areIdle(world: World): boolean {
  const hosts = [...world.hosts.values()]
  const gone = hosts.filter((host) => isGone(world, host))
  return hosts.every((host) => {
    if (isIdle(world, host) || gone.includes(host)) return true
    const [name] = ownersOf(world, host.spec.id)
    return name === undefined || sharesBudget(world, host.spec.id, { gone, name })
  })
}

function onlyGoneAreAwaited(world: World): boolean {
  const gone = [...world.hosts.values()].filter((host) => isGone(world, host))
  const waiting = rolloutsOf(world).filter(({ state }) => state.kind !== 'Succeeded')
  const names = new Set(gone.flatMap(({ spec }) => ownersOf(world, spec.id)))
  return waiting.length > 0 && waiting.every(({ fleet }) => names.has(fleet))
}

function isIdle({ controller: { store } }: World, { spec }: SimulatedHost): boolean {
  const phase = store.hosts.get(spec.id)?.report.phase
  return phase === 'Healthy' || phase === undefined
}

/** For good: nobody will ever hear from it again. */
function isGone({ around }: World, host: SimulatedHost): boolean {
  return host.isDead || losesNetwork(host, around)
}

/** What an operator is there for. */
function help(world: World): void {
  const said = { actor: 'kim', reason: 'simulated' }
  for (const { hostId, report, resumed } of world.controller.store.hosts.values()) {
    const moveId = report.localMove?.id
    if (moveId !== undefined && moveId !== resumed?.moveId)
      say(world, { kind: 'resumeHost', hostId, moveId, ...said })
  }
  for (const rollout of rolloutsOf(world)) {
    const { id: rolloutId, state, waves } = rollout
    // What a resume does not help, an order does.
    const kind = Math.floor(world.elapsedMs / hourMs) % 2 === 0 ? 'resume' : 'promote'
    if (state.kind === 'Paused') say(world, { kind, rolloutId, ...said })
    const waiting = waves.find((wave) => wave.state === 'AwaitingApproval')
    for (let person = 0; person < (waiting?.approval?.approvers ?? 0); person += 1)
      say(world, { kind: 'approve', rolloutId, actor: `kim-${person}`, reason: 'simulated' })
  }
}

function reasonOf({ controller, office }: World, hostId: string): Explanation | null {
  if (controller.state === null) return null
  return controller.engine.explain(controller.state, hostId, { ...nowOf(controller, office), elapsedMs: 0 })
}

function checkFleet(world: World, name: string, digest: string): void {
  const { controller, hosts } = world
  const { store } = controller
  const rollout = rolloutsOf(world).find(({ fleet }) => fleet === name)
  const members = [...hosts.values()].filter(
    ({ spec }) => store.enrolments.get(spec.id)?.labels['fleet'] === name,
  )
  if (members.length === 0) return
  const gone = members.filter((host) => isGone(world, host))
  // A store that was wiped hears of nobody whom a rollout could be for.
  const isHeard = gone.length < members.length
  hold(rollout !== undefined || !isHeard, 23, () => `${name}: its last commit began no rollout`)
  if (rollout === undefined) return
  const state = rollout.state.kind
  const mayWait = gone.length > 0 && (state === 'Paused' || state === 'Progressing')
  const said = JSON.stringify(rollout.state)
  hold(
    state === 'Succeeded' || mayWait,
    23,
    () => `${name}: ${rollout.id} is ${said} after ${patienceMs / hourMs} h of calm`,
  )
  if (state !== 'Succeeded') return
  const behind = members.filter((host) => {
    return !gone.includes(host) && runningOf(host.machine).digest !== digest
  })
  for (const { spec } of behind) {
    const why = reasonOf(world, spec.id)
    hold(
      sharesBudget(world, spec.id, { gone, name }),
      23,
      () => `${name}: ${rollout.id} succeeded, and ${spec.id} runs another image: ${JSON.stringify(why)}`,
    )
  }
}

/** Hosts that are gone for good use up the budget of those in the same domain. */
function sharesBudget(
  world: World,
  hostId: string,
  { gone, name }: { readonly gone: readonly SimulatedHost[]; readonly name: string },
): boolean {
  const budgets = world.controller.wanted?.fleets.find((fleet) => fleet.name === name)?.strategy.budgets ?? []
  return budgets.some(({ topologyKey }) => {
    const value = labelsOf(world, hostId)[topologyKey]
    return gone.some(({ spec }) => labelsOf(world, spec.id)[topologyKey] === value)
  })
}
