import { runningOf } from './running.ts'
import { isReportOnly, nameOf, ownerOf } from './host-names.ts'
import { standingOf } from './host-views.ts'
import type { Standing } from './host-views.ts'
import type { FleetRecord } from './records.ts'
import type { ReportedSystem } from './report.ts'
import { currentRollout } from './state-entries.ts'
import type { Host, RolloutEngineState } from './state.ts'
import type { ResolvedImage } from './wanted.ts'

/** An image that a fleet's git, rollouts or stable names. */
export type EstateImage = {
  readonly image: ResolvedImage
  readonly wantedBy: Set<string>
  readonly stableOf: Set<string>
  readonly deniedIn: Set<string>
  /** When a rollout of it began, the first that is known; null: none did. */
  firstRolloutMs: number | null
}

/** What one host runs, and what else it has or will have. */
export type EstateHost = {
  readonly hostId: string
  readonly name: string
  readonly fleet: string
  readonly labels: Readonly<Record<string, string>>
  readonly phase: Standing
  readonly architecture: string
  /** Empty: it does not say. Else as git names it, where that is known, or of the manifest. */
  readonly booted: string
  readonly bootedManifest: string
  readonly bootedVersion: string
  readonly sinceMs: number
  /** Different from `booted` each; empty: none. */
  readonly next: string
  readonly staged: string
  readonly previous: string
  /** Null: it is updated. Else `booted` may be empty although it says what it runs. */
  readonly reportOnly: ReportedSystem | null
}

export type Estate = {
  /** By digest as git names it. */
  readonly images: ReadonlyMap<string, EstateImage>
  /** Sorted by name; without those that are revoked. */
  readonly hosts: readonly EstateHost[]
}

/** What runs where, of the fleets that `sees` lets through; a host without a fleet has the empty name. */
export function describeEstate(state: RolloutEngineState, sees: (fleet: string) => boolean): Estate {
  const images = imagesOf(state, sees)
  const digests = new Map<string, string>()
  for (const { image } of images.values()) {
    for (const manifest of Object.values(image.manifests)) digests.set(manifest, image.digest)
  }
  const hosts = [...state.hosts.values()]
    .filter(
      (host) => host.enrolment !== null && host.enrolment.revoked === undefined && sees(ownerOf(host) ?? ''),
    )
    .map((host) => estateHost(state, host, digests))
  return { images, hosts: hosts.toSorted((a, b) => Number(a.name > b.name) - Number(a.name < b.name)) }
}

type Named = (image: ResolvedImage) => EstateImage

/** Those that git names now come first, so that theirs is the repository where several have one digest. */
function imagesOf(
  state: RolloutEngineState,
  sees: (fleet: string) => boolean,
): ReadonlyMap<string, EstateImage> {
  const images = new Map<string, EstateImage>()
  const named: Named = (image) => {
    const known = images.get(image.digest) ?? {
      image,
      wantedBy: new Set<string>(),
      stableOf: new Set<string>(),
      deniedIn: new Set<string>(),
      firstRolloutMs: null,
    }
    images.set(image.digest, known)
    return known
  }
  nameWanted(state, sees, named)
  nameRolledOut(state, sees, named)
  for (const { fleet, denied } of recordsOf(state, sees)) {
    for (const { digest } of denied) images.get(digest)?.deniedIn.add(fleet)
  }
  return images
}

function nameWanted(state: RolloutEngineState, sees: (fleet: string) => boolean, named: Named): void {
  for (const { name, image, pins, requires } of state.wanted?.values() ?? []) {
    if (!sees(name)) continue
    if (image !== null) named(image).wantedBy.add(name)
    for (const other of [...pins, ...requires.map(({ via }) => via)]) named(other)
  }
}

function nameRolledOut(state: RolloutEngineState, sees: (fleet: string) => boolean, named: Named): void {
  for (const { record } of state.rollouts.values()) {
    if (!sees(record.fleet)) continue
    const entry = named(record.image)
    entry.firstRolloutMs = Math.min(entry.firstRolloutMs ?? record.startedAtMs, record.startedAtMs)
    if (record.from !== null) named(record.from.image)
  }
  for (const { fleet, stable } of recordsOf(state, sees)) {
    if (stable !== null) named(stable.image).stableOf.add(fleet)
  }
}

function recordsOf(state: RolloutEngineState, sees: (fleet: string) => boolean): readonly FleetRecord[] {
  return [...state.fleets.values()].map(({ record }) => record).filter(({ fleet }) => sees(fleet))
}

const holdsTarget: ReadonlySet<string> = new Set(['Ready', 'Staging', 'Staged', 'Activating', 'Rebooting'])

function estateHost(state: RolloutEngineState, host: Host, digests: ReadonlyMap<string, string>): EstateHost {
  const owner = ownerOf(host) ?? ''
  const fleet = state.fleets.get(owner)
  const rollout = fleet === undefined ? null : currentRollout(state, fleet)
  const about = {
    hostId: host.id,
    name: nameOf(host),
    fleet: owner,
    labels: host.labels,
    phase: standingOf(rollout, host),
  } as const
  if (host.record === null) return { ...about, ...silent }
  const { report } = host.record
  const { before, sinceMs } = runningOf(host.record)
  const manifest = report.bootedManifestDigest ?? ''
  const booted = report.bootedDigest ?? digests.get(manifest) ?? manifest
  const unlessBooted = (digest: string | null): string => (digest === booted ? '' : (digest ?? ''))
  return {
    ...about,
    architecture: report.architecture,
    booted,
    bootedManifest: manifest,
    bootedVersion: report.bootedVersion,
    sinceMs,
    next: unlessBooted(report.defaultDigest),
    staged: holdsTarget.has(report.phase) ? unlessBooted(report.targetDigest) : '',
    // One that it fell back from is not what it would go back to.
    previous: before !== null && report.deniedDigests.includes(before) ? '' : unlessBooted(before),
    reportOnly: report.reportOnly ?? null,
  }
}

const silent = {
  architecture: '',
  booted: '',
  bootedManifest: '',
  bootedVersion: '',
  sinceMs: 0,
  next: '',
  staged: '',
  previous: '',
  reportOnly: null,
}

/**
 * Every digest that is named or run, with the repository to ask; what a host runs and no fleet names is looked for
 * where its fleet's images are. What a host that only reports runs is its own affair: nobody lets it choose whom the
 * controller asks.
 */
export function imagesToKnow(state: RolloutEngineState): ReadonlyMap<string, string> {
  const all = (): boolean => true
  const repositories = new Map<string, string>()
  const manifests = new Set<string>()
  for (const { image } of imagesOf(state, all).values()) {
    repositories.set(image.digest, image.repository)
    for (const manifest of Object.values(image.manifests)) manifests.add(manifest)
  }
  for (const host of state.hosts.values()) {
    if (isReportOnly(host)) continue
    const booted = bootedBy(host)
    const repository = state.wanted?.get(ownerOf(host) ?? '')?.image?.repository ?? ''
    const isKnown = repositories.has(booted) || manifests.has(booted)
    if (booted !== '' && repository !== '' && !isKnown) repositories.set(booted, repository)
  }
  return repositories
}

function bootedBy({ record }: Host): string {
  return record?.report.bootedDigest ?? record?.report.bootedManifestDigest ?? ''
}
