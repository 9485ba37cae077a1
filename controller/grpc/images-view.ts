import type { MessageInitShape } from '@bufbuild/protobuf'
import type {
  FindHostsResponseSchema,
  HostWithImageSchema,
  ImageStatusSchema,
  ListImagesResponseSchema,
} from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { systemWord } from '../../proto/picture/running.ts'
import { ControllerError } from '../errors.ts'
import { matchesSelector } from '../desired-state/label-selector.ts'
import type { Selector } from '../desired-state/types.ts'
import type { CatalogEntry } from '../image-catalog.ts'
import { describeEstate } from '../rollout/estate.ts'
import type { Estate, EstateHost, EstateImage } from '../rollout/estate.ts'
import { digestsOf, holdOf, imagesContaining, imagesNamed } from './image-questions.ts'
import type { Chosen } from './image-questions.ts'
import { isUnheard, repositoryFrom, systemsOf } from './reported-systems.ts'
import type { Viewer } from './permit.ts'
import type { Snapshot } from './status-view.ts'

type Image = MessageInitShape<typeof ImageStatusSchema>
type Found = MessageInitShape<typeof HostWithImageSchema>

/** What is asked, and of what the caller may see. */
export type ImageQuestion = {
  readonly snapshot: Snapshot
  readonly viewer: Viewer
  /** Empty: every fleet. */
  readonly fleet: string
  /** Which hosts count. */
  readonly selector: Selector
}

export function imagesOf(question: ImageQuestion): MessageInitShape<typeof ListImagesResponseSchema> {
  const whole = estateOf(question)
  const estate = chosenOf(question, whole)
  // Of some hosts it is asked what they have, and not what else there is.
  const listed = question.selector.kind === 'all' ? whole : { ...estate, images: new Map<string, never>() }
  return {
    images: imageStatuses(question, estate, digestsOf(listed)),
    hostsUnheard: estate.hosts.filter(isUnheard).length,
    systems: systemsOf(estate.hosts),
  }
}

/** @throws ControllerError RequestInvalid, NotFound. */
export function hostsWith(
  question: ImageQuestion,
  { containing, running }: { readonly containing: string; readonly running: string },
): MessageInitShape<typeof FindHostsResponseSchema> {
  if ((running === '') === (containing === '')) {
    throw new ControllerError('RequestInvalid', 'finding hosts: name either what runs or what is contained')
  }
  const whole = estateOf(question)
  const { found, unknown } =
    running === ''
      ? imagesContaining(whole, question.snapshot.imageEntryOf, containing)
      : imagesNamed(whole, question.snapshot.imageEntryOf, running)
  const estate = chosenOf(question, whole)
  return {
    hosts: hostsHolding(question, estate, found),
    images: imageStatuses(question, estate, found.digests),
    unknownHosts: hostsHolding(question, estate, unknown),
    unknownImages: imageStatuses(question, estate, unknown.digests),
    unheardHosts: estate.hosts.filter(isUnheard).map(({ name }) => name),
  }
}

function estateOf({ fleet, snapshot, viewer }: ImageQuestion): Estate {
  const isAsked = (name: string): boolean => fleet === '' || name === fleet
  return describeEstate(snapshot.state, (name) => isAsked(name) && viewer.sees(name))
}

function chosenOf({ selector }: ImageQuestion, estate: Estate): Estate {
  return { ...estate, hosts: estate.hosts.filter(({ labels }) => matchesSelector(selector, labels)) }
}

function hostsHolding({ snapshot }: ImageQuestion, estate: Estate, chosen: Chosen): Found[] {
  const found = estate.hosts.flatMap((host) => {
    const held = holdOf(host, chosen)
    return held === null ? [] : [{ host, ...held, sinceMs: held.hold === 'Booted' ? host.sinceMs : 0 }]
  })
  const byUrgency = found.toSorted(
    (a, b) =>
      Number(a.hold !== 'Booted') - Number(b.hold !== 'Booted') ||
      a.sinceMs - b.sinceMs ||
      byText(a.host.name, b.host.name),
  )
  return byUrgency.map(({ digest, hold, host, sinceMs }) => {
    const { connected, lastSeenAtMs } = snapshot.presenceOf(host.hostId)
    const { fleet, hostId, labels, name, phase, reportOnly } = host
    const reference = digest === '' && reportOnly !== null ? systemWord(reportOnly) : ''
    const version = versionOf(estate, hold === 'Booted' ? host : null, digest)
    const since = instant(sinceMs)
    const seen = { connected, lastSeenMs: instant(lastSeenAtMs), labels: { ...labels } }
    return { hostId, name, fleet, hold, digest, version, reference, sinceMs: since, phase, ...seen }
  })
}

function versionOf(estate: Estate, host: EstateHost | null, digest: string): string {
  const named = estate.images.get(digest)?.image.version ?? ''
  return named === '' ? (host?.bootedVersion ?? '') : named
}

type Holder = { readonly host: EstateHost; readonly isRunning: boolean }

/** Who has which image, in one pass over the hosts: an estate may have many of both. */
function holdersOf({ hosts }: Estate): ReadonlyMap<string, readonly Holder[]> {
  const holders = new Map<string, Holder[]>()
  for (const host of hosts) {
    for (const digest of new Set([host.booted, host.next, host.staged, host.previous])) {
      const known = holders.get(digest) ?? []
      known.push({ host, isRunning: digest === host.booted })
      holders.set(digest, known)
    }
  }
  return holders
}

function imageStatuses(question: ImageQuestion, estate: Estate, digests: ReadonlySet<string>): Image[] {
  const holders = holdersOf(estate)
  const statuses = [...digests].map((digest) => {
    return imageStatus(question, estate, { digest, held: holders.get(digest) ?? [] })
  })
  return statuses.toSorted(
    (a, b) =>
      b.hostsRunning - a.hostsRunning || Number(a.firstSeenMs - b.firstSeenMs) || byText(a.digest, b.digest),
  )
}

const stranger: Pick<CatalogEntry, 'firstSeenMs' | 'message' | 'platforms' | 'tags'> = {
  firstSeenMs: 0,
  message: 'no fleet names it, so nobody knows where to ask',
  platforms: null,
  tags: [],
}

function imageStatus(
  { snapshot }: ImageQuestion,
  estate: Estate,
  { digest, held }: { readonly digest: string; readonly held: readonly Holder[] },
): Image & { readonly digest: string; readonly hostsRunning: number; readonly firstSeenMs: bigint } {
  const named = estate.images.get(digest)
  const entry = snapshot.imageEntryOf(digest) ?? stranger
  const running = held.filter(({ isRunning }) => isRunning)
  const { platforms } = entry
  return {
    digest,
    repository: named?.image.repository ?? repositoryFrom(held.map(({ host }) => host)),
    version: versionOf(estate, running[0]?.host ?? null, digest),
    tags: [...entry.tags],
    hostsRunning: running.length,
    hostsHolding: held.length - running.length,
    fleets: fleetsOf(named, held),
    firstSeenMs: firstSeen([
      entry.firstSeenMs,
      named?.firstRolloutMs ?? 0,
      running.reduce((first, { host }) => Math.min(first, host.sinceMs), Infinity),
    ]),
    deniedIn: [...(named?.deniedIn ?? [])].toSorted(byText),
    baseDigests: said(platforms?.map(({ base }) => base)),
    baseNames: said(platforms?.map(({ baseName }) => baseName)),
    contentsKnown: platforms !== null,
    contentsMessage: platforms === null ? entry.message : '',
  }
}

function fleetsOf(named: EstateImage | undefined, held: readonly Holder[]): NonNullable<Image['fleets']> {
  const wantedBy = named?.wantedBy ?? new Set<string>()
  const stableOf = named?.stableOf ?? new Set<string>()
  const names = new Set([...held.map(({ host }) => host.fleet), ...wantedBy, ...stableOf])
  return [...names].toSorted(byText).map((fleet) => {
    const ours = held.filter(({ host }) => host.fleet === fleet)
    const hostsRunning = ours.filter(({ isRunning }) => isRunning).length
    const hostsHolding = ours.length - hostsRunning
    return { fleet, hostsRunning, hostsHolding, wanted: wantedBy.has(fleet), stable: stableOf.has(fleet) }
  })
}

function firstSeen(times: readonly number[]): bigint {
  const known = times.filter((ms) => ms > 0 && Number.isFinite(ms))
  return known.length === 0 ? 0n : instant(Math.min(...known))
}

function said(words: readonly string[] = []): string[] {
  return [...new Set(words.filter((word) => word !== ''))].toSorted(byText)
}

function byText(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}

function instant(ms: number): bigint {
  return BigInt(Math.trunc(ms))
}
