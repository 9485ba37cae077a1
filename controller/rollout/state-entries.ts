import type { Changes } from './changes.ts'
import { noLabels } from './host-names.ts'
import { hashOf } from './order.ts'
import { newQueue } from './queue.ts'
import type { FleetRecord, RolloutRecord } from './records.ts'
import type { Bucket, Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import { newWaiting } from './topology.ts'

export function emptyState(): RolloutEngineState {
  return {
    commit: '',
    wanted: null,
    declarations: new Map(),
    freezes: [],
    frozen: new Set(),
    everyFleet: { halted: null, log: [] },
    versions: new Map(),
    holdEnds: [],
    openedAtMs: 0,
    openForMs: 0,
    lost: new Map(),
    seen: new Map(),
    knewHosts: false,
    fleets: new Map(),
    rollouts: new Map(),
    hosts: new Map(),
    deadlines: newQueue(),
    jobs: [],
    toForget: new Map(),
  }
}

export function fleetOf(state: RolloutEngineState, name: string): Fleet {
  const known = state.fleets.get(name)
  if (known !== undefined) return known
  const record: FleetRecord = {
    fleet: name,
    generation: 0,
    stable: null,
    denied: [],
    allowed: [],
    halted: null,
    log: [],
    rolloutId: null,
  }
  const fleet: Fleet = {
    record,
    members: new Set(),
    unheard: 0,
    unavailable: 0,
    staging: 0,
    domains: new Map(),
    schedule: null,
    activationsMs: [],
  }
  state.fleets.set(name, fleet)
  return fleet
}

const noArguments: readonly string[] = []

export function hostOf(state: RolloutEngineState, id: string): Host {
  const known = state.hosts.get(id)
  if (known !== undefined) return known
  const host: Host = {
    id,
    hash: hashOf(id),
    enrolment: null,
    labels: noLabels,
    record: null,
    connected: false,
    pin: null,
    kernelArguments: noArguments,
    hold: null,
    unguarded: false,
    heard: false,
    owners: [],
    grants: new Map(),
    contributions: [],
  }
  state.hosts.set(id, host)
  return host
}

export function currentRollout(state: RolloutEngineState, fleet: Fleet): Rollout | null {
  return (fleet.record.rolloutId === null ? undefined : state.rollouts.get(fleet.record.rolloutId)) ?? null
}

export function newRollout(record: RolloutRecord): Rollout {
  return {
    record,
    buckets: [...record.waves, null].map(emptyBucket),
    revisionHash: hashOf(record.revision),
    open: new Set(),
    unsavedMs: 0,
    leasesLeft: record.state.kind === 'Aborted',
  }
}

function emptyBucket(): Bucket {
  return {
    members: 0,
    pending: 0,
    inProgress: 0,
    succeeded: 0,
    failed: 0,
    skipped: 0,
    silent: 0,
    silentStaged: 0,
    activated: 0,
    regressed: 0,
    adopted: 0,
    exempt: 0,
    inconclusive: 0,
    toRollBack: 0,
    rollbackFailed: 0,
    pinsToStage: 0,
    toStage: newQueue(),
    toActivate: newWaiting(),
  }
}

export function writeFleet(state: RolloutEngineState, changes: Changes, record: FleetRecord): void {
  fleetOf(state, record.fleet).record = record
  changes.writes.set(`fleet ${record.fleet}`, { kind: 'fleet', record })
}

export function writeRollout(rollout: Rollout, changes: Changes, record: RolloutRecord): void {
  rollout.record = record
  rollout.unsavedMs = 0
  changes.writes.set(`rollout ${record.id}`, { kind: 'rollout', record })
}
