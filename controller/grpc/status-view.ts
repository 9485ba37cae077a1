import { create } from '@bufbuild/protobuf'
import {
  FleetStatusSchema,
  HostStatusSchema,
  RolloutStatusSchema,
  SourceStatusSchema,
  StatusSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  FleetStatus,
  HostStatus,
  RolloutStatus,
  SourceStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { RolloutEngineState } from '../rollout/state.ts'
import { describeFleets } from '../rollout/fleet-views.ts'
import type { FleetView } from '../rollout/fleet-views.ts'
import { describeHosts } from '../rollout/host-views.ts'
import { describeRollouts } from '../rollout/rollout-views.ts'
import type { RolloutView } from '../rollout/rollout-views.ts'
import type { Now } from '../rollout/types.ts'

/** What the controller knows at one moment. */
export type Snapshot = {
  readonly state: RolloutEngineState
  readonly source: SourceView
  readonly presenceOf: (hostId: string) => PresenceView
  readonly term: number
  readonly nowMs: number
}

export type SourceView = {
  readonly url: string
  readonly branch: string
  readonly headCommit: string
  readonly acceptedCommit: string
  readonly acceptedSubject: string
  readonly rejection: { readonly commit: string; readonly issues: readonly string[] } | null
  readonly error: string
  readonly lastPolledAtMs: number
  readonly nextPollAtMs: number
}

export type PresenceView = {
  readonly connected: boolean
  readonly lastSeenAtMs: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export function statusOf(snapshot: Snapshot): Status {
  return create(StatusSchema, {
    source: sourceStatus(snapshot),
    fleets: describeFleets(snapshot.state, nowOf(snapshot)).map((fleet) => fleetStatus(snapshot, fleet)),
    observedAtMs: BigInt(snapshot.nowMs),
    term: BigInt(snapshot.term),
  })
}

export function sourceStatus({ source }: Snapshot): SourceStatus {
  const { rejection, lastPolledAtMs, nextPollAtMs, ...rest } = source
  return create(SourceStatusSchema, {
    ...rest,
    ...(rejection === null ? {} : { rejection: { commit: rejection.commit, issues: [...rejection.issues] } }),
    lastPolledAtMs: instant(lastPolledAtMs),
    nextPollAtMs: instant(nextPollAtMs),
  })
}

/** `fleet` empty: every host. */
export function hostStatuses(snapshot: Snapshot, fleet: string): HostStatus[] {
  return describeHosts(snapshot.state, orAll(fleet), nowOf(snapshot)).map((host) => {
    const { connected, lastSeenAtMs, ...bytes } = snapshot.presenceOf(host.hostId)
    return create(HostStatusSchema, {
      ...host,
      labels: { ...host.labels },
      deniedDigests: [...host.deniedDigests],
      conditions: [...host.conditions],
      connected,
      lastSeenAtMs: instant(lastSeenAtMs),
      ...progress(bytes),
    })
  })
}

/** Newest first; `fleet` empty: of every fleet. */
export function rolloutStatuses(snapshot: Snapshot, fleet: string): RolloutStatus[] {
  return describeRollouts(snapshot.state, orAll(fleet), nowOf(snapshot)).map((rollout) =>
    rolloutStatus(snapshot, rollout),
  )
}

export function rolloutStatusOf(snapshot: Snapshot, rolloutId: string): RolloutStatus | null {
  return rolloutStatuses(snapshot, '').find(({ id }) => id === rolloutId) ?? null
}

function fleetStatus(snapshot: Snapshot, { rollout, denied, ...fleet }: FleetView): FleetStatus {
  return create(FleetStatusSchema, {
    ...fleet,
    denied: denied.map(({ digest, reason, deniedAtMs }) => ({
      digest,
      reason,
      deniedAtMs: instant(deniedAtMs),
    })),
    ...(rollout === null ? {} : { rollout: rolloutStatus(snapshot, rollout) }),
  })
}

function rolloutStatus(snapshot: Snapshot, view: RolloutView): RolloutStatus {
  const { attention, waves, generation, startedAtMs, endedAtMs, ...rest } = view
  return create(RolloutStatusSchema, {
    ...rest,
    generation: BigInt(generation),
    startedAtMs: instant(startedAtMs),
    endedAtMs: instant(endedAtMs),
    waves: [...waves],
    attention: attention.map((host) => ({ ...host, ...progress(snapshot.presenceOf(host.hostId)) })),
  })
}

function progress({ doneBytes, totalBytes }: Pick<PresenceView, 'doneBytes' | 'totalBytes'>): {
  readonly doneBytes: bigint
  readonly totalBytes: bigint
} {
  return { doneBytes: BigInt(doneBytes), totalBytes: BigInt(totalBytes) }
}

function orAll(fleet: string): string | null {
  return fleet === '' ? null : fleet
}

function nowOf({ nowMs }: Snapshot): Now {
  return { wallMs: nowMs, elapsedMs: 0 }
}

function instant(timeMs: number): bigint {
  return BigInt(Math.trunc(timeMs))
}
