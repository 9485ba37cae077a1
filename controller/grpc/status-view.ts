import { create } from '@bufbuild/protobuf'
import {
  FleetLimitsSchema,
  FleetStatusSchema,
  HostStatusSchema,
  RolloutStatusSchema,
  SourceStatusSchema,
  StatusSchema,
  VerbRecordSchema,
  WaveApprovalSchema,
  WaveStatusSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  FleetLimits,
  FleetStatus,
  HostStatus,
  RolloutStatus,
  SourceStatus,
  Status,
  VerbRecord as VerbStatus,
  WaveApproval,
  WaveStatus,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { CatalogEntry } from '../image-catalog.ts'
import type { RolloutEngineState } from '../rollout/state.ts'
import { describeFleets } from '../rollout/fleet-views.ts'
import type { FleetView } from '../rollout/fleet-views.ts'
import type { ApprovalView } from '../rollout/gate-views.ts'
import { describeHosts } from '../rollout/host-views.ts'
import { describeRollouts } from '../rollout/rollout-views.ts'
import type { LimitsView } from '../rollout/limit-views.ts'
import type { RolloutView } from '../rollout/rollout-views.ts'
import type { Now } from '../rollout/now.ts'
import type { VerbRecord } from '../rollout/records.ts'
import type { WaveView } from '../rollout/wave-views.ts'

/** What the controller knows at one moment. */
export type Snapshot = {
  readonly state: RolloutEngineState
  /** At least one, in the order of the configuration. */
  readonly sources: readonly SourceView[]
  readonly presenceOf: (hostId: string) => PresenceView
  /** Who signed a commit that was accepted; empty where that is not known. */
  readonly signerOf: (commit: string) => string
  /** What is known of an image beyond what the engine needs; null: nothing. */
  readonly imageEntryOf: (digest: string) => CatalogEntry | null
  readonly term: number
  readonly nowMs: number
}

export type SourceView = {
  readonly name: string
  readonly url: string
  readonly branch: string
  readonly headCommit: string
  readonly acceptedCommit: string
  readonly acceptedSubject: string
  readonly acceptedSigner: string
  readonly rejection: { readonly commit: string; readonly issues: readonly string[] } | null
  readonly error: string
  readonly lastPolledAtMs: number
  readonly nextPollAtMs: number
  readonly waiting: readonly string[]
}

export type PresenceView = {
  readonly connected: boolean
  readonly lastSeenAtMs: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export function statusOf(snapshot: Snapshot): Status {
  return create(StatusSchema, {
    ...sourceStatuses(snapshot),
    fleets: describeFleets(snapshot.state, nowOf(snapshot)).map((fleet) => fleetStatus(snapshot, fleet)),
    observedAtMs: BigInt(snapshot.nowMs),
    term: BigInt(snapshot.term),
  })
}

/** `source` is the first of `sources`, for who knows only of one. */
export function sourceStatuses(snapshot: Snapshot): {
  readonly source?: SourceStatus
  readonly sources: SourceStatus[]
} {
  const sources = snapshot.sources.map(sourceStatus)
  const [source] = sources
  return { sources, ...(source === undefined ? {} : { source }) }
}

function sourceStatus(source: SourceView): SourceStatus {
  const { rejection, lastPolledAtMs, nextPollAtMs, ...rest } = source
  return create(SourceStatusSchema, {
    ...rest,
    waiting: [...rest.waiting],
    ...(rejection === null ? {} : { rejection: { commit: rejection.commit, issues: [...rejection.issues] } }),
    lastPolledAtMs: instant(lastPolledAtMs),
    nextPollAtMs: instant(nextPollAtMs),
  })
}

/** `fleet` empty: every host. */
export function hostStatuses(snapshot: Snapshot, fleet: string): HostStatus[] {
  return describeHosts(snapshot.state, orAll(fleet), nowOf(snapshot)).map((view) => {
    const { givenKernelArguments, reportOnly, ...host } = view
    const { connected, lastSeenAtMs, ...bytes } = snapshot.presenceOf(host.hostId)
    return create(HostStatusSchema, {
      ...host,
      ...(reportOnly !== null && {
        reportOnly: { ...reportOnly, imageLabels: { ...reportOnly.imageLabels } },
      }),
      ...(givenKernelArguments !== undefined && {
        givenKernelArguments: { arguments: [...givenKernelArguments] },
      }),
      labels: { ...host.labels },
      declaredLabels: { ...host.declaredLabels },
      deniedDigests: [...host.deniedDigests],
      conditions: [...host.conditions],
      etcConflicts: [...host.etcConflicts],
      kernelLine: host.kernelLine.map((one) => ({ ...one })),
      evidence: [...host.evidence],
      refusedPlan: host.refusedPlan,
      unguarded: snapshot.state.hosts.get(host.hostId)?.record?.report.unguarded === true,
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

function fleetStatus(
  snapshot: Snapshot,
  { rollout, denied, halted, limits, log, ...fleet }: FleetView,
): FleetStatus {
  return create(FleetStatusSchema, {
    ...fleet,
    denied: denied.map(({ deniedAtMs, ...denial }) => ({ ...denial, deniedAtMs: instant(deniedAtMs) })),
    log: log.map(verbRecord),
    ...(halted === null ? {} : { halted: verbRecord(halted) }),
    ...(rollout === null ? {} : { rollout: rolloutStatus(snapshot, rollout) }),
    ...(limits === null ? {} : { limits: limitsStatus(limits) }),
  })
}

function limitsStatus({ budgets, freezes, windows, ...counts }: LimitsView): FleetLimits {
  return create(FleetLimitsSchema, {
    ...counts,
    budgets: [...budgets],
    windows: windows.map(({ turnsAtMs, ...window }) => ({ ...window, turnsAtMs: instant(turnsAtMs) })),
    freezes: freezes.map(({ fromMs, name, toMs }) => ({
      name,
      fromMs: instant(fromMs),
      toMs: instant(toMs),
    })),
  })
}

function rolloutStatus(snapshot: Snapshot, view: RolloutView): RolloutStatus {
  const { attention, waves, log, generation, startedAtMs, endedAtMs, ...others } = view
  const { endsEarliestAtMs, waveDeadlineAtMs, ...rest } = others
  return create(RolloutStatusSchema, {
    ...rest,
    generation: BigInt(generation),
    startedAtMs: instant(startedAtMs),
    endedAtMs: instant(endedAtMs),
    endsEarliestAtMs: instant(endsEarliestAtMs),
    waveDeadlineAtMs: instant(waveDeadlineAtMs),
    waves: waves.map(waveStatus),
    log: log.map(verbRecord),
    attention: attention.map((host) => ({ ...host, ...progress(snapshot.presenceOf(host.hostId)) })),
  })
}

function waveStatus({ gate, ...wave }: WaveView): WaveStatus {
  const { approval, analyses, promoted, soakMs, soakedMs, skippedMaxPercent, window } = gate
  return create(WaveStatusSchema, {
    ...wave,
    soakMs: instant(soakMs),
    soakedMs: instant(soakedMs),
    analyses: [...analyses],
    skippedMaxPercent: Math.trunc(skippedMaxPercent),
    windowOpensAtMs: instant(window?.opensAtMs ?? 0),
    ...(promoted === null ? {} : { promoted: verbRecord(promoted) }),
    ...(approval === null ? {} : { approval: approvalStatus(approval) }),
  })
}

function approvalStatus(view: ApprovalView): WaveApproval {
  const { askedAtMs, expiresAtMs, approvers, approvals, approved } = view
  return create(WaveApprovalSchema, {
    askedAtMs: instant(askedAtMs),
    expiresAtMs: instant(expiresAtMs),
    approvers,
    approvals: approvals.map(verbRecord),
    ...(approved === null ? {} : { approved: verbRecord(approved) }),
  })
}

function verbRecord({ atMs, ...record }: VerbRecord): VerbStatus {
  return create(VerbRecordSchema, { ...record, atMs: instant(atMs) })
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

export function nowOf({ nowMs }: Snapshot): Now {
  return { wallMs: nowMs, elapsedMs: 0 }
}

function instant(timeMs: number): bigint {
  return BigInt(Math.trunc(timeMs))
}
