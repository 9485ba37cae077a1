import type { RolloutEvent } from '../../controller/rollout/events.ts'
import { newAgenda, nextAtMs, take } from './agenda.ts'
import { dispatch, newController, nowOf, start } from './controller.ts'
import type { Engine } from './controller.ts'
import { losesNetwork, newHost, startAgent } from './host.ts'
import type { SimulatedHost } from './host-model.ts'
import { connectSoon, dropConnection, fetchPlan, tellController } from './network.ts'
import { isStale, sign } from './plan-log.ts'
import type { Scenario, SimulatedHostSpec } from './scenario.ts'
import { runErrands } from './errands.ts'
import { faultless, later } from './world-model.ts'
import type { Watch, World } from './world-model.ts'

const hourMs = 3_600_000

export function newWorld(scenario: Scenario, engine: Engine, watch: Watch): World {
  const agenda = newAgenda()
  const after = (ms: number, run: () => void): void => later(world, ms, run)
  const elapsedMs = (): number => world.elapsedMs
  const images = new Map(scenario.images.map((image) => [image.image.digest, image]))
  const world: World = {
    scenario,
    agenda,
    controller: newController(engine),
    hosts: new Map(),
    watch,
    elapsedMs: 0,
    rates: faultless,
    ratesUntilMs: 0,
    errands: new Set(),
    steps: 0,
    office: {
      startMs: scenario.startMs,
      elapsedMs,
      after,
      onDecision: (cause, decision) => watch.onDecision(world, cause, decision),
      onWritten: (writes) => watch.onWritten(world, writes),
      onSettled: (cause, decision) => {
        runErrands(world, decision)
        watch.onSettled(world, cause, decision)
      },
      publish: ({ intent }) => {
        const host = world.hosts.get(intent.hostId)
        if (host !== undefined) fetchPlan(world, host)
      },
      onUp: () => {
        for (const host of world.hosts.values()) connectSoon(world, host)
      },
      onDown: () => {
        for (const host of world.hosts.values()) dropConnection(world, host)
      },
    },
    around: {
      seed: scenario.seed,
      startMs: scenario.startMs,
      elapsedMs,
      after,
      imageOf: (digest) => images.get(digest) ?? null,
      hasNetwork: (host) => hasNetwork(world, host),
      onState: (host) => {
        watch.onState(world, host)
        tellController(world, host)
      },
      onActivated: (host) => watch.onActivated(world, host),
      onBooted: (host) => {
        watch.onBooted(world, host)
        connectSoon(world, host)
      },
      onDown: (host) => dropConnection(world, host),
    },
  }
  start(world.controller, world.office)
  renewEveryHour(world)
  return world
}

function hasNetwork(world: World, host: SimulatedHost): boolean {
  return host.isOn && !host.isDead && world.elapsedMs >= host.awayUntilMs && !losesNetwork(host, world.around)
}

/** A host joins: an operator approved it, and its agent starts. */
export function join(world: World, spec: SimulatedHostSpec): void {
  const host = newHost(spec, world.scenario.seed)
  world.hosts.set(spec.id, host)
  const { id: hostId, labels, name } = spec
  const enrolledAtMs = nowOf(world.controller, world.office).wallMs
  say(world, { kind: 'enrolled', enrolment: { hostId, name, labels, enrolledAtMs } })
  startAgent(host, world.around)
  connectSoon(world, host)
}

export function say(world: World, event: RolloutEvent): void {
  dispatch(world.controller, world.office, event)
}

/** As the controller's loop: what would expire is signed again, and hosts that are there get it. */
function renewEveryHour(world: World): void {
  later(world, hourMs, () => {
    const { controller, office } = world
    if (controller.state !== null) {
      const { wallMs } = nowOf(controller, office)
      for (const [hostId, last] of controller.plans) {
        if (!isStale(last, wallMs)) continue
        const plan = sign(last.intent, last, { term: controller.term, wallMs, acceptedCounter: 0 })
        if (plan === null) continue
        controller.plans.set(hostId, plan)
        office.publish(plan)
      }
    }
    renewEveryHour(world)
  })
}

const stepsMax = 500_000

/** Lets everything happen until this instant. */
export function runUntil(world: World, untilMs: number): void {
  for (;;) {
    const atMs = nextAtMs(world.agenda)
    if (atMs === null || atMs > untilMs) break
    const { run } = take(world.agenda)
    world.elapsedMs = Math.max(world.elapsedMs, atMs)
    world.steps += 1
    if (world.steps > stepsMax) throw new Error(`the world takes more than ${stepsMax} steps`)
    run()
  }
  world.elapsedMs = Math.max(world.elapsedMs, untilMs)
}
