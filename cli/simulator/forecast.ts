import type { HostDeclaration } from '../../controller/desired-state/types.ts'
import { isEnded } from '../../controller/rollout/phases.ts'
import type { RolloutRecord } from '../../controller/rollout/records.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import type { Engine } from './controller.ts'
import { newRecorder } from './forecast-recorder.ts'
import type { HostForecast, LimitForecast, WaveForecast } from './forecast-recorder.ts'
import { startWorld } from './run.ts'
import type { Fault, Scenario, SimulatedHostSpec, SimulatedImage, Wanted } from './scenario.ts'
import type { World } from './world-model.ts'
import { runUntil } from './world.ts'

/** A host as an inventory has it. */
export type ForecastHost = Omit<SimulatedHostSpec, 'enrolledAtMs' | 'slowness'> & {
  readonly isConnected: boolean
}

export type ForecastRequest = {
  readonly seed: number
  /** When git would name what is wanted. */
  readonly startMs: number
  readonly hosts: readonly ForecastHost[]
  /** What each fleet is supposed to run before; hosts that run it are what `stable` was proven on. */
  readonly before: readonly WantedFleet[]
  readonly wanted: Wanted
  /** What fleets must not be granted, whatever git says. */
  readonly denied: readonly { readonly fleet: string; readonly digest: string; readonly reason: string }[]
  readonly images: readonly SimulatedImage[]
  /** 0: hosts lose no time, so that what is left is the strategy's own. */
  readonly slowness: number
  readonly approvedAfterMs: number
}

export type FleetForecast = {
  readonly name: string
  /** What it was to run in the end; null: it follows a fleet that had nothing for it. */
  readonly wantedDigest: string | null
  /** Null: nothing began. */
  readonly rollout: RolloutRecord | null
  readonly waves: readonly WaveForecast[]
  readonly hosts: readonly HostForecast[]
  readonly limits: readonly LimitForecast[]
  /** After the beginning; null: it did not come to an end. */
  readonly endedAfterMs: number | null
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** Before the beginning the fleets come to what they are supposed to run. */
const setupMs = 2 * hourMs
const longestMs = 60 * 24 * hourMs

/** The engine itself, on a virtual clock, with hosts that do as the images' rates say. */
export function forecast(request: ForecastRequest, engine: Engine): readonly FleetForecast[] {
  const recorder = newRecorder(setupMs)
  const world = startWorld(scenarioOf(request), engine, recorder.watch)
  runUntil(world, setupMs - 1)
  recorder.begin(world)
  const names = request.wanted.fleets.map(({ name }) => name)
  const ends = new Map<string, number>()
  for (let untilMs = setupMs + minuteMs; untilMs < setupMs + longestMs; untilMs += minuteMs * 5) {
    runUntil(world, untilMs)
    for (const fleet of request.wanted.fleets) {
      const { name } = fleet
      if (!ends.has(name) && isOver(world, fleet, ends)) ends.set(name, recorder.lastChangeMs(name))
    }
    if (ends.size === names.length) break
  }
  recorder.sample(world)
  return names.map((name): FleetForecast => {
    const rollout = begunRollout(world, recorder.generationBefore(name), name)
    const told = { ...recorder.of(world, name, rollout), endedAfterMs: ends.get(name) ?? null }
    const wantedDigest = world.controller.state?.wanted?.get(name)?.image?.digest ?? null
    return { name, wantedDigest, rollout, ...told }
  })
}

function scenarioOf(request: ForecastRequest): Scenario {
  const { before, denied, hosts, images, seed, slowness, wanted } = request
  const usual = new Set(before.flatMap(({ image }) => (image === null ? [] : [image.digest])))
  // A denial is of a fleet that is there: one of which nothing else is known waits, suspended, for the beginning.
  const waiting = wanted.fleets.filter(
    ({ name }) => denied.some(({ fleet }) => fleet === name) && !before.some((fleet) => fleet.name === name),
  )
  const known = [...before, ...waiting.map((fleet) => ({ ...fleet, suspend: true, deny: [] }))]
  const away = hosts.flatMap(({ id, isConnected, running }): readonly Fault[] => {
    if (!isConnected) return [{ kind: 'hostAway', atMs: 0, host: id, forMs: 100 * longestMs }]
    return usual.has(running.digest) ? [] : [{ kind: 'hostAway', atMs: 0, host: id, forMs: setupMs }]
  })
  return {
    seed,
    startMs: request.startMs - setupMs,
    durationMs: setupMs + longestMs,
    images,
    hosts: hosts.map((host) => ({ ...host, enrolledAtMs: 0, slowness })),
    operations: [
      {
        kind: 'commit',
        atMs: minuteMs,
        commit: 'before',
        fleets: known,
        hosts: unhindered(request),
        freezes: [],
      },
      ...denied.map((denial) => ({ kind: 'deny', atMs: setupMs - minuteMs, ...denial }) as const),
      { kind: 'commit', atMs: setupMs, ...wanted },
    ],
    faults: away,
    analyses: { failureRate: 0, inconclusiveRate: 0 },
    approvedAfterMs: request.approvedAfterMs,
  }
}

/** What git says of hosts without what keeps them from what they are supposed to run already. */
function unhindered({ hosts, wanted }: ForecastRequest): readonly HostDeclaration[] {
  const free = { pin: null, hold: null, allowUnguardedBoot: true } as const
  const declared = new Set(wanted.hosts.map(({ name }) => name))
  const others = hosts.filter(({ name, unguarded }) => unguarded === true && !declared.has(name))
  return [
    ...wanted.hosts.map((host) => ({ ...host, ...free })),
    ...others.map(({ name }) => ({ name, labels: {}, ...free })),
  ]
}

function servingOf({ controller: { store } }: World, name: string): RolloutRecord | null {
  return store.rollouts.get(store.fleets.get(name)?.rolloutId ?? '') ?? null
}

function begunRollout(world: World, generationBefore: number, name: string): RolloutRecord | null {
  const rollout = servingOf(world, name)
  return rollout !== null && rollout.generation > generationBefore ? rollout : null
}

/** Nothing is under way, and only a person or git could begin anything. */
function isOver(world: World, { follows, name }: WantedFleet, ends: ReadonlyMap<string, number>): boolean {
  const rollout = servingOf(world, name)
  if (follows !== null && mayStillFollow(world, follows, ends.get(follows.fleet))) return false
  if (rollout === null) return true
  const { kind } = rollout.state
  if (kind === 'Progressing' || kind === 'RollingBack') return false
  for (const grant of world.controller.store.grants.values()) {
    if (grant.rolloutId === rollout.id && !isEnded(grant.phase) && grant.phase !== 'AwaitingSlot')
      return false
  }
  return true
}

/** The fleet that it follows has not come to an end, or not long enough ago. */
function mayStillFollow(
  { elapsedMs }: World,
  { succeededForMs }: NonNullable<WantedFleet['follows']>,
  endedAtMs: number | undefined,
): boolean {
  return endedAtMs === undefined || elapsedMs < setupMs + endedAtMs + succeededForMs + 10 * minuteMs
}
