import { createHash } from 'node:crypto'
import { formatImageReference } from '../../controller/desired-state/image-reference.ts'
import { matchesSelector } from '../../controller/desired-state/label-selector.ts'
import { canonicalRevisionInput } from '../../controller/desired-state/revision.ts'
import { verificationOf } from '../../controller/desired-state/verification.ts'
import type { DesiredState, Fleet, ImageReference } from '../../controller/desired-state/types.ts'
import type { ResolvedImage, WantedFleet } from '../../controller/rollout/wanted.ts'
import type { Wanted } from '../simulator/scenario.ts'
import type { InventoryHost } from './inventory.ts'

/** What `--image FLEET=DIGEST[:VERSION]` says, by fleet. */
export type GivenImages = ReadonlyMap<string, { readonly digest: string; readonly version: string }>

export type Offline = {
  readonly wanted: Wanted
  /** What each fleet's hosts are taken to be supposed to run before: what most of them run. */
  readonly before: readonly WantedFleet[]
  /** Fleets whose image only a registry could name, with what git says. */
  readonly unresolved: ReadonlyMap<string, string>
  readonly imageOf: (digest: string, repository: string) => ResolvedImage
}

type Request = {
  readonly desiredState: DesiredState
  readonly hosts: readonly InventoryHost[]
  readonly given: GivenImages
}

/** As the controller would hand it to the engine, were a registry there; every architecture is taken to be. */
export function offlineWanted({ desiredState, given, hosts }: Request): Offline {
  const versions = new Map(
    hosts.flatMap(({ running }) => (running === null ? [] : [[running.digest, running.version]])),
  )
  for (const { digest, version } of given.values()) if (version !== '') versions.set(digest, version)
  const architectures = [...new Set([...hosts.map(({ architecture }) => architecture), 'amd64'])].toSorted()
  const imageOf = (digest: string, repository: string): ResolvedImage => ({
    repository,
    digest,
    version: versions.get(digest) ?? '',
    manifests: Object.fromEntries(architectures.map((one) => [one, digestOf(`${digest} ${one}`)])),
  })
  const unresolved = new Map<string, string>()
  const fleets = desiredState.fleets.map((fleet) => {
    const image = resolve(fleet, given, { desiredState, imageOf })
    if (image === null && fleet.image.kind !== 'fleet')
      unresolved.set(fleet.name, formatImageReference(fleet.image))
    return wantedFleet(fleet, image ?? placeholder(fleet, imageOf), { desiredState, imageOf })
  })
  const before = desiredState.fleets.flatMap((fleet, index) => {
    const usual = mostCommon(membersOf(desiredState, fleet, hosts))
    const wanted = fleets[index]
    return usual === null || wanted === undefined
      ? []
      : [asBefore(wanted, imageOf(usual, repositoryOf(desiredState, fleet.image)))]
  })
  const { freezes, hosts: declared } = desiredState
  return { wanted: { commit: 'preview', fleets, hosts: declared, freezes }, before, unresolved, imageOf }
}

type ImageOf = Offline['imageOf']

function resolve(
  { image, name }: Fleet,
  given: GivenImages,
  { desiredState, imageOf }: Context,
): ResolvedImage | null {
  const told = given.get(name)
  if (told !== undefined) return imageOf(told.digest, repositoryOf(desiredState, image))
  return image.kind === 'digest' ? imageOf(image.digest, image.repository) : null
}

/** Stands for what a registry would say, so that waves and order can be shown all the same. */
function placeholder({ image }: Fleet, imageOf: ImageOf): ResolvedImage | null {
  if (image.kind === 'fleet') return null
  return imageOf(digestOf(`unresolved ${formatImageReference(image)}`), image.repository)
}

/** Of a fleet that follows another one, that of the other one. */
function repositoryOf({ fleets }: Pick<DesiredState, 'fleets'>, image: ImageReference, hops = 0): string {
  if (image.kind !== 'fleet') return image.repository
  const followed = fleets.find(({ name }) => name === image.fleet)
  return followed === undefined || hops > fleets.length
    ? 'unknown'
    : repositoryOf({ fleets }, followed.image, hops + 1)
}

type Context = { readonly desiredState: DesiredState; readonly imageOf: ImageOf }

function wantedFleet(
  fleet: Fleet,
  image: ResolvedImage | null,
  { desiredState, imageOf }: Context,
): WantedFleet {
  const { deny, downgrade, lint, name, requires, selector, strategy, suspend } = fleet
  const repository = repositoryOf(desiredState, fleet.image)
  const verify = verificationOf(desiredState.fleets, fleet)
  const pins = desiredState.hosts.flatMap(({ pin }) => (pin === null ? [] : [imageOf(pin, repository)]))
  return {
    name,
    selector,
    strategy,
    suspend,
    revision: image === null ? '' : revisionOf(fleet, image),
    ...(verify !== null && { verify }),
    lint,
    image,
    follows: fleet.image.kind === 'fleet' ? fleet.image : null,
    pins,
    requires: requires.map(({ below, digest, reason }) => ({
      below,
      via: imageOf(digest, repository),
      reason,
    })),
    downgrade,
    deny,
  }
}

function revisionOf({ requires, strategy, verify }: Fleet, image: ResolvedImage): string {
  const input = canonicalRevisionInput({ image, health: strategy.health, verify, barriers: requires })
  return createHash('sha256').update(input).digest('hex')
}

/** The same fleet, on what most of its hosts run, with nothing that could hold it up. */
function asBefore(fleet: WantedFleet, image: ResolvedImage): WantedFleet {
  const { strategy } = fleet
  const all = { kind: 'percent', percent: 100 } as const
  const barriers = fleet.requires.map(({ below, via }) => ({ below, digest: via.digest }))
  const { verify = null } = fleet
  const input = canonicalRevisionInput({ image, health: strategy.health, verify, barriers })
  return {
    ...fleet,
    image,
    follows: null,
    suspend: false,
    deny: [],
    pins: [],
    downgrade: 'Allow',
    revision: createHash('sha256').update(input).digest('hex'),
    strategy: {
      ...strategy,
      name: 'before',
      waves: [],
      maxUnavailable: all,
      analysis: [],
      rate: null,
      budgets: [],
      windows: [],
      downloads: { maxConcurrent: 1_000_000, prefetch: 'None' },
      deadlines: { ...strategy.deadlines, waveMs: 30 * 60_000 },
    },
  }
}

function membersOf(
  { hosts: declared }: DesiredState,
  { selector }: Fleet,
  hosts: readonly InventoryHost[],
): readonly InventoryHost[] {
  return hosts.filter(({ labels, name }) => {
    const own = declared.find((host) => host.name === name)
    return matchesSelector(selector, { ...labels, ...own?.labels })
  })
}

function mostCommon(hosts: readonly InventoryHost[]): string | null {
  const counts = new Map<string, number>()
  for (const { running } of hosts) {
    if (running !== null) counts.set(running.digest, (counts.get(running.digest) ?? 0) + 1)
  }
  const [first] = [...counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return first?.[0] ?? null
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
