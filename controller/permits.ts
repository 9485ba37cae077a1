import { readPermit } from '../proto/permit.ts'
import type { Permit } from '../proto/permit.ts'
import type { DesiredState } from './desired-state/types.ts'
import type { WantedPermit } from './rollout/wanted.ts'

/** A rollout keeps them all, in one value of the store. */
const FLEET_PERMITS_MAX = 4

/** Why a commit must not come into force; null: every permit in it can be read, and no fleet has too many. */
export function refusePermits({ permits = [] }: Pick<DesiredState, 'permits'>, nowMs: number): string | null {
  const counts = new Map<string, number>()
  for (const { path, text } of permits) {
    const read = readPermit(text.trim())
    if (read.kind === 'invalid') {
      return `${path}: ${read.detail}; make it anew with bootfleet trust permit downgrade, or remove it`
    }
    const { fleet, expiresAt } = read.permit
    if (Date.parse(expiresAt) <= nowMs) continue
    const count = (counts.get(fleet) ?? 0) + 1
    if (count > FLEET_PERMITS_MAX) {
      return `${path}: fleet ${fleet} has more than ${FLEET_PERMITS_MAX} permits that have not expired; remove those that are of no use any more`
    }
    counts.set(fleet, count)
  }
  return null
}

/** What hosts of a fleet are told, the latest to expire first: they judge who signed. Expired ones tell nothing. */
export function permitsOf(
  { permits = [] }: Pick<DesiredState, 'permits'>,
  fleet: string,
  nowMs: number,
): readonly WantedPermit[] {
  const found = permits.flatMap(({ text }) => {
    const envelope = text.trim()
    const read = readPermit(envelope)
    if (read.kind === 'invalid' || read.permit.fleet !== fleet) return []
    const { repository, hosts = null, expiresAt } = read.permit
    const expiresAtMs = Date.parse(expiresAt)
    const wanted = { repository, hosts, image: imageOf(read.permit), envelope }
    return expiresAtMs <= nowMs ? [] : [{ wanted, expiresAtMs }]
  })
  return found
    .toSorted((left, right) => right.expiresAtMs - left.expiresAtMs)
    .slice(0, FLEET_PERMITS_MAX)
    .map(({ wanted }) => wanted)
}

function imageOf({ digest, lowestVersion = '' }: Permit): WantedPermit['image'] {
  return digest === undefined ? { kind: 'LowestVersion', version: lowestVersion } : { kind: 'Digest', digest }
}
