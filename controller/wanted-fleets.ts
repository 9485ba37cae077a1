import { createHash } from 'node:crypto'
import { formatImageReference } from './desired-state/image-reference.ts'
import { canonicalRevisionInput } from './desired-state/revision.ts'
import type { DesiredState, Fleet, ImageReference } from './desired-state/types.ts'
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

export type Resolution = {
  readonly fleets: readonly WantedFleet[]
  /** One sentence per fleet whose image could not be resolved; such a fleet stays as it was. */
  readonly errors: readonly string[]
  readonly retryAfterMs: number | undefined
}

export type WantedFleets = {
  resolve(desiredState: DesiredState, signal: AbortSignal): Promise<Resolution>
}

const CONCURRENT_MAX = 4

/** Turns fleets into what the engine wants; a tag is asked for anew each time, a digest only once. */
export function createWantedFleets(resolver: ImageResolver): WantedFleets {
  const last = new Map<string, { readonly reference: string; readonly wanted: WantedFleet }>()

  async function resolveFleet(fleet: Fleet, signal: AbortSignal): Promise<WantedFleet> {
    const reference = formatImageReference(fleet.image)
    const known = last.get(fleet.name)
    const image =
      fleet.image.kind === 'digest' && known?.reference === reference
        ? known.wanted.image
        : imageOf(await resolver.resolve(fleet.image, signal))
    const wanted = wantedFleet(fleet, image)
    last.set(fleet.name, { reference, wanted })
    return wanted
  }

  return {
    async resolve({ fleets }, signal) {
      const found: WantedFleet[] = []
      const errors: string[] = []
      let retryAfterMs: number | undefined
      const rest = fleets.values()
      const lane = async (): Promise<void> => {
        for (const fleet of rest) {
          try {
            found.push(await resolveFleet(fleet, signal))
          } catch (error) {
            if (!(error instanceof ControllerError)) throw error
            errors.push(`fleet ${fleet.name}: ${error.message}`)
            retryAfterMs = Math.max(retryAfterMs ?? 0, error.retryAfterMs ?? 0) || undefined
            const known = last.get(fleet.name)
            if (known !== undefined) found.push(known.wanted)
          }
        }
      }
      await Promise.all(Array.from({ length: CONCURRENT_MAX }, lane))
      const names = new Set(fleets.map(({ name }) => name))
      for (const name of last.keys()) if (!names.has(name)) last.delete(name)
      return { fleets: found.toSorted(byName), errors: errors.toSorted(), retryAfterMs }
    },
  }
}

function imageOf({ repository, digest, version, tag, manifests }: RegistryImage): ResolvedImage {
  return { repository, digest, version: version ?? tag ?? '', manifests }
}

function wantedFleet(fleet: Fleet, image: ResolvedImage): WantedFleet {
  const { name, selector, strategy, suspend } = fleet
  const input = canonicalRevisionInput({ image, health: strategy.health })
  const revision = createHash('sha256').update(input).digest('hex')
  return { name, selector, strategy, suspend, revision, image }
}

function byName(left: WantedFleet, right: WantedFleet): number {
  return left.name < right.name ? -1 : 1
}
