import { formatImageReference } from './desired-state/image-reference.ts'
import type { DesiredState, Fleet } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import { follow } from './followed-images.ts'
import type { Followed, Registry, Sighting } from './followed-images.ts'
import type { ImageTrust } from './image-trust.ts'
import { ownValue } from './known-images.ts'
import type { ImageMemory, KnownImages } from './known-images.ts'
import { resolveNamed } from './named-images.ts'
import type { Named, NamedResolving } from './named-images.ts'
import type { ReleaseRole } from '../proto/release-role.ts'
import { withProof } from './release-check.ts'
import type { ResolvedImage, WantedFleet } from './rollout/wanted.ts'
import { judge, openVerifier } from './verified-images.ts'
import type { Check } from './verified-images.ts'
import { wantedFleet } from './wanted-fleet.ts'

export type FleetNote = { readonly fleet: string; readonly message: string }

export type Resolution = {
  readonly fleets: readonly WantedFleet[]
  readonly memory: ImageMemory
  /** Fleets whose image could not be resolved; such a fleet keeps the revision it had. */
  readonly errors: readonly FleetNote[]
  /** Fleets of which an image does not have the signature that they ask for. */
  readonly unverified: readonly FleetNote[]
  /** Fleets for which something newer was found that is not old enough. */
  readonly waiting: readonly FleetNote[]
  readonly retryAfterMs: number | undefined
}

export type Resolving = NamedResolving & {
  readonly trust: ImageTrust
  /** Of the trust bundle that hosts get. Default: none. */
  readonly release?: ReleaseRole | null
  readonly registry: Registry
  readonly nowMs: number
}

const CONCURRENT_MAX = 4

/** Turns fleets into what the engine wants; what moves is asked for anew each time, a digest only once. */
export async function resolveFleets(
  desiredState: DesiredState,
  before: ImageMemory,
  resolving: Resolving,
): Promise<Resolution> {
  const { fleets } = desiredState
  const found = new Map<string, KnownImages[string]>()
  const sightings = new Map<string, readonly Sighting[]>()
  const errors: FleetNote[] = []
  const waiting: FleetNote[] = []
  let retryAfterMs: number | undefined
  const rest = fleets.values()
  const lane = async (): Promise<void> => {
    for (const fleet of rest) {
      const reference = formatImageReference(fleet.image)
      const seen = ownValue(before.sightings, reference)
      const image = ownValue(before.images, fleet.name)
      try {
        const now = await resolveFleet(fleet, { image, sightings: seen ?? [] }, resolving)
        if (now.image !== undefined) found.set(fleet.name, now.image)
        if (now.sightings.length > 0) sightings.set(reference, now.sightings)
        if (now.waiting !== null) waiting.push({ fleet: fleet.name, message: sentenceOf(now.waiting) })
      } catch (error) {
        if (!(error instanceof ControllerError)) throw error
        errors.push({ fleet: fleet.name, message: error.message })
        retryAfterMs = Math.max(retryAfterMs ?? 0, error.retryAfterMs ?? 0) || undefined
        if (image !== undefined) found.set(fleet.name, image)
        if (seen !== undefined) sightings.set(reference, seen)
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT_MAX }, lane))
  const { registry, trust, release = null, signal, labelsOf, nowMs } = resolving
  const verifier = openVerifier(before, { signatures: registry.signatures, trust, release, signal })
  const unverified = await withhold({ fleets, found, before: before.images, errors }, verifier.check)
  const named = await resolveNamed(desiredState, before.named, { ...resolving, check: verifier.check })
  const outcome = verifier.outcome()
  const proven = (image: ResolvedImage): ResolvedImage => withProof(outcome.proofs, image)
  const context = { desiredState, found, named, unverified, labelsOf, proven, nowMs }
  const wanted = fleets.flatMap((fleet) => wantedFleet(fleet, context) ?? [])
  return {
    fleets: wanted.toSorted((left, right) => byText(left.name, right.name)),
    memory: {
      images: sortedRecord(found),
      sightings: sortedRecord(sightings),
      named: named.images,
      ...outcome,
    },
    errors: [...errors, ...named.errors].toSorted(byFleet),
    unverified: notesOf(unverified, named).toSorted(byFleet),
    waiting: waiting.toSorted(byFleet),
    retryAfterMs,
  }
}

/**
 * Takes away what does not have the signature that its fleet asks for, and says why. What the fleet had before is
 * put in its place only if that one has it.
 */
async function withhold(
  of: {
    readonly fleets: readonly Fleet[]
    readonly found: Map<string, KnownImages[string]>
    readonly before: KnownImages
    readonly errors: FleetNote[]
  },
  check: Check,
): Promise<ReadonlyMap<string, string>> {
  const unverified = new Map<string, string>()
  for (const { name, verify } of of.fleets) {
    const now = of.found.get(name)
    if (now === undefined) continue
    const { error, failure } = await judge(check, now.image, verify)
    if (failure === null) continue
    unverified.set(name, failure)
    if (error !== null) of.errors.push({ fleet: name, message: failure })
    const earlier = ownValue(of.before, name)
    const mayStay = earlier !== undefined && (await judge(check, earlier.image, verify)).failure === null
    if (mayStay) of.found.set(name, earlier)
    else of.found.delete(name)
  }
  return unverified
}

/** Without those that are errors too: these are said already. */
function notesOf(unverified: ReadonlyMap<string, string>, named: Named): readonly FleetNote[] {
  const own = [...unverified].map(([fleet, message]) => ({ fleet, message }))
  const others = [...named.unverified].flatMap(([fleet, messages]) =>
    [...messages.values()].map((message) => ({ fleet, message })),
  )
  return [...own, ...others]
}

type Known = {
  readonly image: KnownImages[string] | undefined
  readonly sightings: readonly Sighting[]
}

const unwatched = { sightings: [], waiting: null }

/** `image` undefined: there is none yet, or the engine finds it. */
async function resolveFleet(
  fleet: Fleet,
  known: Known,
  { registry, nowMs, signal }: Resolving,
): Promise<Known & Pick<Followed, 'waiting'>> {
  const reference = formatImageReference(fleet.image)
  const { health } = fleet.strategy
  const { verify } = fleet
  switch (fleet.image.kind) {
    case 'digest': {
      if (known.image?.reference === reference)
        return { ...unwatched, image: { ...known.image, health, verify } }
      const { repository, digest, version, manifests } = await registry.resolve(fleet.image, signal)
      const image = { repository, digest, version: version ?? '', manifests }
      return { ...unwatched, image: { reference, image, health, verify } }
    }
    case 'tag':
    case 'semver': {
      const before = known.image?.image ?? null
      const { sightings } = known
      const followed = await follow(fleet.image, { registry, before, sightings, nowMs, signal })
      const image = followed.image ?? before
      return { ...followed, image: image === null ? undefined : { reference, image, health, verify } }
    }
    case 'fleet':
      return { ...unwatched, image: undefined }
  }
}

function sentenceOf({ version, digest, untilMs }: NonNullable<Followed['waiting']>): string {
  const until = new Date(untilMs).toISOString().slice(0, 16).replace('T', ' ')
  return `found ${version} (${digest.slice(0, 19)}), waits until ${until} UTC`
}

function sortedRecord<Value>(values: ReadonlyMap<string, Value>): Readonly<Record<string, Value>> {
  return Object.fromEntries([...values].toSorted(([left], [right]) => byText(left, right)))
}

function byFleet(left: FleetNote, right: FleetNote): number {
  return byText(left.fleet, right.fleet)
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
