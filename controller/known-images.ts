import type { Health, ImageVerification } from './desired-state/types.ts'
import type { Sighting } from './followed-images.ts'
import type { NamedImages } from './named-images.ts'
import type { ResolvedImage } from './rollout/wanted.ts'
import type { Verified } from './verified.ts'

/** By name of fleet: what its image was last found to be, and what it was wanted with. */
export type KnownImages = Readonly<
  Record<
    string,
    {
      readonly reference: string
      readonly image: ResolvedImage
      readonly health: Health
      readonly verify: ImageVerification | null
    }
  >
>

/** What must outlive a restart, so that it neither needs the registry nor begins a wait anew. */
export type ImageMemory = Verified & {
  readonly images: KnownImages
  /** By reference that is followed and must have some age. */
  readonly sightings: Readonly<Record<string, readonly Sighting[]>>
  readonly named: NamedImages
}

/** Names of fleets are whatever git says, also those of every object. */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
