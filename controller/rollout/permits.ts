import { isOlder } from './version-order.ts'
import type { PlanIntent } from './decision.ts'
import type { WantedPermit } from './wanted.ts'

/** As many as a plan carries. */
const PLAN_PERMITS_MAX = 2

/** What the plan of a host carries: only what covers its image. Whose signatures count, the host knows. */
export function permitsFor(
  permits: readonly WantedPermit[],
  { hostId, image }: Pick<PlanIntent, 'hostId' | 'image'>,
): Pick<PlanIntent, 'permits'> {
  const envelopes = permits
    .filter((permit) => permit.hosts?.includes(hostId) !== false && covers(permit, image))
    .slice(0, PLAN_PERMITS_MAX)
    .map(({ envelope }) => envelope)
  return envelopes.length === 0 ? {} : { permits: envelopes }
}

/** What cannot be compared is for the host to judge: only it reads the label of what it pulled. */
function covers(
  permit: WantedPermit,
  { repository, digest, manifestDigest, version }: PlanIntent['image'],
): boolean {
  if (permit.repository !== repository) return false
  switch (permit.image.kind) {
    case 'Digest':
      return permit.image.digest === digest || permit.image.digest === manifestDigest
    case 'LowestVersion':
      return !isOlder(version, permit.image.version)
  }
}
