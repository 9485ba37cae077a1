import { orderKey } from '../../controller/rollout/order.ts'
import { renderReason } from '../../controller/rollout/sentences.ts'
import type { BlockingReason, HostPhase } from '../../controller/rollout/states.ts'
import type { RolloutRecord } from '../../controller/rollout/records.ts'
import { waveIndexOf } from '../../controller/rollout/waves.ts'
import { nowOf } from './controller.ts'
import { note, sample, untold } from './forecast-notes.ts'
import type { Notes } from './forecast-notes.ts'
import { runningOf } from './machine.ts'
import { labelsOf, ownersOf } from './population.ts'
import { quietWatch } from './world-model.ts'
import type { Watch, World } from './world-model.ts'

/** Instants are milliseconds after the beginning. */
export type HostForecast = {
  readonly hostId: string
  readonly name: string
  /** -1: of no wave. */
  readonly wave: number
  readonly fromDigest: string
  readonly toDigest: string
  /** Null: never. */
  readonly stagedAtMs: number | null
  readonly activatedAtMs: number | null
  readonly endedAtMs: number | null
  readonly phase: HostPhase | null
  /** What it waits for, or how it ended; empty when it just succeeded. */
  readonly reason: string
}

export type WaveForecast = {
  readonly name: string
  readonly size: number
  readonly state: string
  readonly beganAtMs: number | null
  readonly endedAtMs: number | null
}

/** How long hosts waited for one kind of reason, together, and how many of them did. */
export type LimitForecast = {
  readonly kind: BlockingReason['kind']
  readonly hosts: number
  readonly waitedMs: number
}

export type Recorder = {
  readonly watch: Watch
  /** What holds before anything is wanted. */
  readonly begin: (world: World) => void
  readonly sample: (world: World) => void
  readonly generationBefore: (fleet: string) => number
  readonly lastChangeMs: (fleet: string) => number
  readonly of: (
    world: World,
    fleet: string,
    rollout: RolloutRecord | null,
  ) => {
    readonly waves: readonly WaveForecast[]
    readonly hosts: readonly HostForecast[]
    readonly limits: readonly LimitForecast[]
  }
}

const sampleEveryMs = 60_000

/** Writes down who got which permission when, when waves began and ended, and what everybody else waited for. */
export function newRecorder(setupMs: number): Recorder {
  const notes: Notes = {
    setupMs,
    stories: new Map(),
    waves: new Map(),
    waited: new Map(),
    generations: new Map(),
    running: new Map(),
    changes: new Map(),
    sampledAtMs: setupMs,
  }
  return {
    watch: {
      ...quietWatch,
      onWritten: (world, writes) => {
        if (world.elapsedMs >= setupMs) for (const write of writes) note(notes, world, write)
      },
      onSettled: (world) => {
        if (world.elapsedMs - notes.sampledAtMs >= sampleEveryMs) sample(notes, world)
      },
    },
    begin: (world) => {
      for (const { fleet, generation } of world.controller.store.fleets.values()) {
        notes.generations.set(fleet, generation)
      }
      for (const [id, { machine }] of world.hosts) notes.running.set(id, runningOf(machine).digest ?? '')
    },
    sample: (world) => sample(notes, world),
    generationBefore: (fleet) => notes.generations.get(fleet) ?? 0,
    lastChangeMs: (fleet) => notes.changes.get(fleet) ?? 0,
    of: (world, fleet, rollout) => ({
      waves: rollout === null ? [] : wavesOf(notes, rollout),
      hosts: hostsOf(notes, world, { fleet, rollout }),
      limits: limitsOf(notes, fleet),
    }),
  }
}

function wavesOf({ waves }: Notes, rollout: RolloutRecord): readonly WaveForecast[] {
  return rollout.waves.map(({ name, size, state }, index) => {
    const { began = null, ended = null } = waves.get(`${rollout.id} ${index}`) ?? {}
    return { name, size, state, beganAtMs: began, endedAtMs: ended }
  })
}

type Of = { readonly fleet: string; readonly rollout: RolloutRecord | null }

/** In the order in which they are granted their first step, then those that never are. */
function hostsOf(notes: Notes, world: World, { fleet, rollout }: Of): readonly HostForecast[] {
  const members = [...world.hosts.values()].filter(({ spec }) => ownersOf(world, spec.id).includes(fleet))
  const never = Number.MAX_SAFE_INTEGER
  return members
    .map(({ spec }) => hostOf(notes, world, { hostId: spec.id, name: spec.name, rollout }))
    .map((host) => ({ host, key: rollout === null ? host.name : orderKey(rollout.revision, host.hostId) }))
    .toSorted((a, b) => {
      const byTime = (a.host.stagedAtMs ?? never) - (b.host.stagedAtMs ?? never)
      return a.host.wave - b.host.wave || byTime || (a.key < b.key ? -1 : 1)
    })
    .map(({ host }) => host)
}

type Member = { readonly hostId: string; readonly name: string; readonly rollout: RolloutRecord | null }

function hostOf(notes: Notes, world: World, { hostId, name, rollout }: Member): HostForecast {
  const fromDigest = notes.running.get(hostId) ?? ''
  const story = notes.stories.get(hostId) ?? { ...untold, toDigest: fromDigest }
  const wave =
    rollout === null
      ? -1
      : waveIndexOf(rollout.waves, orderKey(rollout.revision, hostId), labelsOf(world, hostId))
  return {
    hostId,
    name,
    wave,
    fromDigest,
    toDigest: story.toDigest,
    stagedAtMs: story.stagedAtMs,
    activatedAtMs: story.activatedAtMs,
    endedAtMs: story.endedAtMs,
    phase: story.phase,
    reason: reasonOf(world, hostId),
  }
}

function reasonOf({ controller, office }: World, hostId: string): string {
  if (controller.state === null) return ''
  const now = { ...nowOf(controller, office), elapsedMs: 0 }
  const reason = controller.engine.explain(controller.state, hostId, now)
  if (reason.kind !== 'Progressing') return renderReason(reason)
  return reason.phase === 'Succeeded' ? '' : reason.message
}

function limitsOf({ waited }: Notes, fleet: string): readonly LimitForecast[] {
  return [...waited]
    .filter(([key]) => key.startsWith(`${fleet} `))
    .map(([key, { hosts, waitedMs }]) => ({
      kind: key.slice(fleet.length + 1) as BlockingReason['kind'],
      hosts: hosts.size,
      waitedMs,
    }))
    .toSorted((a, b) => b.waitedMs - a.waitedMs)
}
