import { createHash } from 'node:crypto'
import { formatImageReference } from './desired-state/image-reference.ts'
import { canonicalRevisionInput } from './desired-state/revision.ts'
import type { DesiredState, Fleet, Health, ImageReference } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import type { ResolvedImage, WantedFleet } from './rollout/types.ts'

export type ImageResolver = {
  resolve(image: ImageReference, signal: AbortSignal): Promise<RegistryImage>
}

type RegistryImage = {
  readonly repository: string
  readonly tag: string | null
  readonly digest: string
  readonly version: string | null
  readonly manifests: Readonly<Record<string, string>>
}

/** By name of fleet: what its image was last found to be, and the health it was wanted with. */
export type KnownImages = Readonly<
  Record<string, { readonly reference: string; readonly image: ResolvedImage; readonly health: Health }>
>

export type Resolution = {
  readonly fleets: readonly WantedFleet[]
  readonly known: KnownImages
  /** One sentence per fleet whose image could not be resolved; such a fleet keeps the revision it had. */
  readonly errors: readonly string[]
  readonly retryAfterMs: number | undefined
}

const CONCURRENT_MAX = 4

/** Turns fleets into what the engine wants; a tag is asked for anew each time, a digest only once. */
export async function resolveFleets(
  { fleets }: DesiredState,
  known: KnownImages,
  { resolver, signal }: { readonly resolver: ImageResolver; readonly signal: AbortSignal },
): Promise<Resolution> {
  const found = new Map<string, KnownImages[string]>()
  const errors: string[] = []
  let retryAfterMs: number | undefined
  const rest = fleets.values()
  const lane = async (): Promise<void> => {
    for (const fleet of rest) {
      const before = Object.hasOwn(known, fleet.name) ? known[fleet.name] : undefined
      try {
        found.set(fleet.name, await resolveFleet(fleet, before, { resolver, signal }))
      } catch (error) {
        if (!(error instanceof ControllerError)) throw error
        errors.push(`fleet ${fleet.name}: ${error.message}`)
        retryAfterMs = Math.max(retryAfterMs ?? 0, error.retryAfterMs ?? 0) || undefined
        if (before !== undefined) found.set(fleet.name, before)
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT_MAX }, lane))
  const wanted = fleets.flatMap((fleet) => {
    const image = found.get(fleet.name)
    return image === undefined ? [] : [wantedFleet(fleet, image)]
  })
  return {
    fleets: wanted.toSorted(byName),
    known: Object.fromEntries([...found].toSorted(([left], [right]) => (left < right ? -1 : 1))),
    errors: errors.toSorted(),
    retryAfterMs,
  }
}

async function resolveFleet(
  fleet: Fleet,
  before: KnownImages[string] | undefined,
  { resolver, signal }: { readonly resolver: ImageResolver; readonly signal: AbortSignal },
): Promise<KnownImages[string]> {
  const reference = formatImageReference(fleet.image)
  const { health } = fleet.strategy
  if (fleet.image.kind === 'digest' && before?.reference === reference) return { ...before, health }
  return { reference, image: imageOf(await resolver.resolve(fleet.image, signal)), health }
}

function imageOf({ repository, digest, version, tag, manifests }: RegistryImage): ResolvedImage {
  return { repository, digest, version: version ?? tag ?? '', manifests }
}

/** Who is selected and `suspend` hold at once, whether or not the image is known anew. */
function wantedFleet(fleet: Fleet, { image, health }: KnownImages[string]): WantedFleet {
  const { name, selector, suspend } = fleet
  const input = canonicalRevisionInput({ image, health })
  const revision = createHash('sha256').update(input).digest('hex')
  return { name, selector, strategy: { ...fleet.strategy, health }, suspend, revision, image }
}

function byName(left: WantedFleet, right: WantedFleet): number {
  return left.name < right.name ? -1 : 1
}
