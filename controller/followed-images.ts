import type { ImageReference } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import { versionsInRange } from './images/version-tags.ts'
import type { ResolvedImage } from './rollout/wanted.ts'
import type { Signatures } from './verified-images.ts'

type ByTag = Extract<ImageReference, { readonly kind: 'tag' }>
type BySemver = Extract<ImageReference, { readonly kind: 'semver' }>

/** What was found under one tag, and when this controller saw it there for the first time. */
export type Sighting = {
  readonly tag: string
  readonly digest: string
  readonly version: string
  readonly firstSeenMs: number
}

export type Registry = {
  resolve(
    image: { readonly kind: 'digest'; readonly repository: string; readonly digest: string },
    signal: AbortSignal,
  ): Promise<{
    readonly repository: string
    readonly digest: string
    readonly version: string | null
    readonly manifests: Readonly<Record<string, string>>
  }>
  digestOf(repository: string, tag: string, signal: AbortSignal): Promise<string>
  tags(repository: string, signal: AbortSignal): Promise<readonly string[]>
  readonly signatures: Signatures
}

export type Followed = {
  /** Null: nothing is old enough yet, so that what was stays. */
  readonly image: ResolvedImage | null
  /** Oldest first. */
  readonly sightings: readonly Sighting[]
  /** Set while something newer was found and is not old enough. */
  readonly waiting: { readonly version: string; readonly digest: string; readonly untilMs: number } | null
}

type Following = {
  readonly registry: Registry
  /** What the fleet's image was last found to be. */
  readonly before: ResolvedImage | null
  readonly sightings: readonly Sighting[]
  readonly nowMs: number
  readonly signal: AbortSignal
}

/** Whoever pushes many images must not fill our disk; the newest are kept. */
const SIGHTINGS_MAX = 32

/**
 * What a reference that moves means now. How old an image is counts from when this controller first saw it under
 * its tag: the dates in an image are whatever its pusher wrote.
 */
export async function follow(image: ByTag | BySemver, following: Following): Promise<Followed> {
  const newest = await newestTag(image, following)
  const { digest } = newest
  if (image.minimumAgeMs === 0) {
    return { image: await resolved(image, newest, following), sightings: [], waiting: null }
  }
  const seen = await sight(image, newest, following)
  const sightings = seen.sightings.slice(-SIGHTINGS_MAX)
  const untilMs = seen.firstSeenMs + image.minimumAgeMs
  const inForce = following.before?.digest === digest && following.before.repository === image.repository
  if (inForce || untilMs <= following.nowMs) {
    return { image: await resolved(image, newest, following), sightings, waiting: null }
  }
  const waiting = { version: seen.version, digest, untilMs }
  const older = await newestOldEnough(image, { ...following, sightings }, newest.versions)
  return { image: older, sightings, waiting }
}

type Tagged = { readonly tag: string; readonly digest: string }
/** `versions` are the tags of a range, newest first; of a tag, none. */
type Newest = Tagged & { readonly versions: readonly string[] }

async function newestTag(image: ByTag | BySemver, { registry, signal }: Following): Promise<Newest> {
  const { repository } = image
  if (image.kind === 'tag') {
    return { tag: image.tag, digest: await registry.digestOf(repository, image.tag, signal), versions: [] }
  }
  const versions = versionsInRange(await registry.tags(repository, signal), image.range).map(({ tag }) => tag)
  const [tag] = versions
  if (tag === undefined) {
    const found = `no tag is a version in the range ${JSON.stringify(image.range)}; push one or widen the range`
    throw new ControllerError('ImageNotFound', `looking for a version of ${repository}: ${found}`)
  }
  return { tag, digest: await registry.digestOf(repository, tag, signal), versions }
}

/** An image counts as seen only when it can be read whole: what is no image must not grow old. */
async function sight(
  image: ByTag | BySemver,
  { tag, digest }: Tagged,
  following: Following,
): Promise<Sighting & { readonly sightings: readonly Sighting[] }> {
  const { sightings, nowMs } = following
  const known = sightings.find((each) => each.tag === tag && each.digest === digest)
  if (known !== undefined) {
    // A clock that was set back would otherwise make it wait for a time that nobody asked for.
    const firstSeenMs = Math.min(known.firstSeenMs, nowMs)
    const repaired = sightings.map((each) => (each === known ? { ...known, firstSeenMs } : each))
    return { ...known, firstSeenMs, sightings: repaired }
  }
  const { version } = await resolved(image, { tag, digest }, following)
  const fresh = { tag, digest, version, firstSeenMs: nowMs }
  return { ...fresh, sightings: [...sightings, fresh] }
}

/**
 * Only of a range: its older versions are still offered, and were old enough for nobody to wait for ever where a
 * new one comes every day. A tag that moved on took its older image back.
 */
async function newestOldEnough(
  image: ByTag | BySemver,
  following: Following,
  versions: readonly string[],
): Promise<ResolvedImage | null> {
  const { sightings, nowMs, registry, signal } = following
  for (const tag of versions.slice(1)) {
    const ripe = sightings.filter(
      (each) => each.tag === tag && each.firstSeenMs + image.minimumAgeMs <= nowMs,
    )
    if (ripe.length === 0) continue
    const digest = await registry.digestOf(image.repository, tag, signal)
    if (ripe.some((each) => each.digest === digest)) return resolved(image, { tag, digest }, following)
  }
  return null
}

async function resolved(
  { repository }: ByTag | BySemver,
  { tag, digest }: Tagged,
  { registry, before, signal }: Following,
): Promise<ResolvedImage> {
  if (before?.digest === digest && before.repository === repository) return before
  const { version, manifests } = await registry.resolve({ kind: 'digest', repository, digest }, signal)
  return { repository, digest, version: version ?? tag, manifests }
}
