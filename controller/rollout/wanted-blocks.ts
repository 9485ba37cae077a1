import { denialOf } from './fleet-record.ts'
import type { Fleet } from './state.ts'
import type { BlockingReason } from './states.ts'
import type { FleetRecord } from './records.ts'
import type { ResolvedImage, WantedFleet } from './wanted.ts'
import { isOlder } from './version-order.ts'

/** What keeps a fleet from what git wants of it: it stays where it is. Null: nothing does. */
export function blockOfWanted(fleet: Fleet, wanted: WantedFleet): BlockingReason | null {
  const { downgrade, follows, image } = wanted
  const unsigned = blockOfSignature(wanted)
  if (unsigned !== null) return unsigned
  if (image === null && follows !== null) return { kind: 'NothingToFollow', fleet: follows.fleet }
  const denied = image && denialOf(fleet, image.digest)
  if (denied !== null) return { kind: 'Denied', digest: denied.digest, reason: denied.reason }
  return image === null || downgrade === 'Allow' ? null : downgradeOf(fleet.record, image)
}

/** Whatever was granted before: while nothing has the signature that git asks for, nobody is granted anything. */
export function blockOfSignature({ image, unverified }: WantedFleet): BlockingReason | null {
  return image === null && unverified !== undefined ? { kind: 'Unverified', message: unverified } : null
}

/** By the versions' labels; back to the very image that is stable is the way out of a bad release. */
function downgradeOf({ stable }: FleetRecord, image: ResolvedImage): BlockingReason | null {
  if (stable === null || stable.image.digest === image.digest) return null
  const { version } = stable.image
  return isOlder(image.version, version) ? { kind: 'Downgrade', to: image.version, from: version } : null
}
