import { resume, initialState } from '../../agent/update/resume.ts'
import { step, wakeAtMs } from '../../agent/update/step.ts'
import type { Event } from '../../agent/update/types.ts'
import { activate, boot, factsOf, newMachine, runningOf } from './machine.ts'
import { acceptPlan } from './plan-intake.ts'
import type { SignedPlan } from './plan-intake.ts'
import { randomOf } from './random.ts'
import { isLucky } from './luck.ts'
import { runEffect, stopWork } from './host-work.ts'
import type { SimulatedHost, Surroundings } from './host-model.ts'
import type { SimulatedHostSpec } from './scenario.ts'

const minuteMs = 60_000

export function newHost(spec: SimulatedHostSpec, seed: number): SimulatedHost {
  return {
    spec,
    machine: newMachine(spec.id, spec.running, spec),
    random: randomOf(seed, spec.id),
    disk: null,
    state: null,
    process: 0,
    work: 0,
    running: null,
    wakeAtMs: null,
    clockMs: 0,
    isOn: true,
    isDead: false,
    awayUntilMs: 0,
    isConnected: false,
    connection: 0,
    saysArchitecture: spec.architecture,
    told: '',
  }
}

export function wallOf(host: SimulatedHost, around: Surroundings): number {
  return around.startMs + around.elapsedMs() + host.clockMs
}

export function startAgent(host: SimulatedHost, around: Surroundings): void {
  const facts = factsOf(host.machine)
  const state = host.disk ?? initialState(facts, wallOf(host, around))
  host.process += 1
  host.running = null
  host.state = state
  takeEvent(host, around, resume(state, facts))
}

export function endAgent(host: SimulatedHost): void {
  host.process += 1
  host.state = null
  host.running = null
  host.wakeAtMs = null
}

/** One event of the update machine: on disk before its effects run. */
export function takeEvent(host: SimulatedHost, around: Surroundings, event: Event): void {
  if (host.state === null) return
  const wallMs = wallOf(host, around)
  const before = around.hasNetwork(host) ? { ...host.state, reachableAtMs: wallMs } : host.state
  const { next, effects } = step(before, event, wallMs)
  host.state = next
  host.disk = next
  for (const effect of effects) {
    stopWork(host)
    if (effect.kind === 'reboot') rebootSoon(host, around)
    else if (effect.kind !== 'forget') {
      runEffect(host, around, { effect, tell: (result) => takeEvent(host, around, result) })
    }
  }
  if (host.state !== null) wakeLater(host, around)
  around.onState(host)
}

export function receivePlan(host: SimulatedHost, around: Surroundings, plan: SignedPlan): void {
  if (host.state === null) return
  const accepted = acceptPlan(plan, host.state.accepted, wallOf(host, around))
  if (accepted !== null) takeEvent(host, around, { kind: 'planAccepted', plan: accepted })
}

function wakeLater(host: SimulatedHost, around: Surroundings): void {
  const wakeMs = host.state === null ? null : wakeAtMs(host.state)
  if (wakeMs === host.wakeAtMs) return
  host.wakeAtMs = wakeMs
  if (wakeMs === null) return
  const { process } = host
  around.after(Math.max(0, wakeMs - wallOf(host, around)), () => {
    if (host.process !== process || host.wakeAtMs !== wakeMs) return
    host.wakeAtMs = null
    takeEvent(host, around, { kind: 'timer' })
  })
}

/** The agent's own reboot: seconds to go down, minutes to come up. */
function rebootSoon(host: SimulatedHost, around: Surroundings): void {
  goDown(host, around)
  const upMs = (1 + 2 * host.random()) * minuteMs * host.spec.slowness
  const { process } = host
  around.after(upMs, () => {
    if (host.process === process && !host.isDead) comeUp(host, around)
  })
}

/** Power is gone, whatever was under way: an activation may have got as far as the boot default, or not. */
export function goDown(host: SimulatedHost, around: Surroundings): void {
  if (host.running?.kind === 'activate' && host.random() < 0.5) {
    activate(host.machine, host.running.deploymentId)
    around.onActivated(host)
  }
  host.isOn = false
  endAgent(host)
  around.onDown(host)
}

export function comeUp(host: SimulatedHost, around: Surroundings): void {
  const { machine, spec } = host
  host.isOn = true
  boot(machine, (digest) => {
    const rate = around.imageOf(digest)?.bootFailureRate ?? 0
    return !isLucky(rate, around.seed, spec.id, digest, 'boot')
  })
  around.onBooted(host)
  startAgent(host, around)
}

/** Whether what it runs took its network away. */
export function losesNetwork(host: SimulatedHost, around: Surroundings): boolean {
  const digest = runningOf(host.machine).digest ?? ''
  const rate = around.imageOf(digest)?.networkLossRate ?? 0
  return rate > 0 && isLucky(rate, around.seed, host.spec.id, digest, 'network')
}
