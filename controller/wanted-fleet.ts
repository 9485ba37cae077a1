import { createHash } from 'node:crypto'
import { canonicalRevisionInput } from './desired-state/revision.ts'
import type { DesiredState, Fleet } from './desired-state/types.ts'
import { verificationOf } from './desired-state/verification.ts'
import { ownValue } from './known-images.ts'
import type { KnownImages } from './known-images.ts'
import { namedKey, pinsOf, repositoryOf } from './named-images.ts'
import type { Named, NamedResolving } from './named-images.ts'
import { permitsOf } from './permits.ts'
import type { ResolvedBarrier, ResolvedImage, WantedFleet } from './rollout/wanted.ts'

/** What is known of the images of all fleets. */
export type Found = {
  readonly desiredState: DesiredState
  readonly found: ReadonlyMap<string, KnownImages[string]>
  readonly named: Named
  readonly unverified: ReadonlyMap<string, string>
  readonly labelsOf: NamedResolving['labelsOf']
  /** With the signatures that hosts ask for. */
  readonly proven: (image: ResolvedImage) => ResolvedImage
  readonly nowMs: number
}

/**
 * Who is selected and `suspend` hold at once, whether or not the image is known anew. Null while its image or one on
 * the way to it was never found: without it nobody could say what may be granted.
 */
export function wantedFleet(fleet: Fleet, context: Found): WantedFleet | null {
  const { deny, downgrade, lint, name, selector, suspend } = fleet
  const { desiredState, found, labelsOf, named, nowMs, proven } = context
  const permits = permitsOf(desiredState, name, nowMs)
  const repository = repositoryOf(desiredState.fleets, fleet)
  const refused = named.unverified.get(name)
  const via = (digest: string): ResolvedImage | null => {
    const key = namedKey(repository, digest)
    const image = refused?.has(key) === true ? undefined : ownValue(named.images, key)
    return image === undefined ? null : proven(image)
  }
  const requires = fleet.requires.flatMap(({ below, digest, reason }): ResolvedBarrier[] => {
    const image = via(digest)
    return image === null ? [] : [{ below, via: image, reason }]
  })
  const known = found.get(name)
  const unsigned = fleet.requires.flatMap(({ digest }) => refused?.get(namedKey(repository, digest)) ?? [])[0]
  const unverified = unsigned ?? context.unverified.get(name)
  const isIncomplete = requires.length < fleet.requires.length
  const isUnknown = known === undefined && fleet.image.kind !== 'fleet'
  if ((isIncomplete || isUnknown) && unverified === undefined) return null
  const verify = known === undefined ? verificationOf(desiredState.fleets, fleet) : known.verify
  return {
    name,
    selector,
    strategy: { ...fleet.strategy, health: known?.health ?? fleet.strategy.health },
    suspend,
    ...(verify !== null && { verify }),
    ...(unverified !== undefined && { unverified }),
    lint,
    // Without an image on the way nobody is sent anywhere, also not after another fleet.
    ...(isIncomplete ? nowhere : { ...aimOf(fleet, known, proven), follows: followedBy(fleet) }),
    pins: pinsOf(desiredState, fleet, labelsOf).flatMap((digest) => via(digest) ?? []),
    requires,
    downgrade,
    ...(permits.length > 0 && { permits }),
    deny,
  }
}

const nowhere = { image: null, revision: '', follows: null }

function aimOf(
  fleet: Fleet,
  known: KnownImages[string] | undefined,
  proven: Found['proven'],
): Pick<WantedFleet, 'image' | 'revision'> {
  if (known === undefined) return { image: null, revision: '' }
  return { image: proven(known.image), revision: revisionOf(known, fleet) }
}

function followedBy({ image }: Fleet): WantedFleet['follows'] {
  return image.kind === 'fleet' ? { fleet: image.fleet, succeededForMs: image.succeededForMs } : null
}

function revisionOf({ health, image, verify }: KnownImages[string], { requires }: Fleet): string {
  const barriers = requires.map(({ below, digest }) => ({ below, digest }))
  const input = canonicalRevisionInput({ image, health, verify, barriers })
  return createHash('sha256').update(input).digest('hex')
}
