import type { Changes } from './changes.ts'
import { fleetOf, writeFleet } from './state-entries.ts'
import type { RolloutEngineState } from './state.ts'
import type { ResolvedImage, WantedFleet } from './wanted.ts'

/** Those known now come first: who must sign may have changed since the rollout began. */
export function signaturesOf(
  { wanted }: RolloutEngineState,
  fleet: string,
  image: ResolvedImage,
): Pick<ResolvedImage, 'signatures'> {
  const now = wanted?.get(fleet)?.image
  const signatures = (now?.digest === image.digest ? now.signatures : undefined) ?? image.signatures
  return signatures === undefined ? {} : { signatures }
}

/** What a rollback goes to is what git wanted before: its signatures are kept while git still names it. */
export function keepSigned(
  state: RolloutEngineState,
  changes: Changes,
  { name, image }: Pick<WantedFleet, 'image' | 'name'>,
): void {
  const fleet = fleetOf(state, name)
  const { stable } = fleet.record
  if (stable === null || image?.signatures === undefined || image.digest !== stable.image.digest) return
  const { signatures } = image
  if (JSON.stringify(signatures) === JSON.stringify(stable.image.signatures)) return
  writeFleet(state, changes, {
    ...fleet.record,
    stable: { ...stable, image: { ...stable.image, signatures } },
  })
}
