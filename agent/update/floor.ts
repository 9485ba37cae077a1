import { orderOfVersions } from './version-order.ts'

/** An image that proved itself here. */
export type Floor = {
  readonly manifestDigest: string
  /** What no version may be lower than from here on; empty: there was none with a version yet. */
  readonly version: string
  /** The rollout that brought it; empty where no plan did. */
  readonly rollout: string
}

/** What the approvers of the trust bundle signed for this host, as far as the plan carries it. */
export type Guard = {
  readonly permits: readonly DowngradePermit[]
  /** Why others that came with the plan count for nothing. */
  readonly refused: readonly string[]
}

export type DowngradePermit = {
  readonly repository: string
  readonly untilMs: number
  readonly image:
    | { readonly kind: 'Digest'; readonly digest: string }
    | { readonly kind: 'LowestVersion'; readonly version: string }
}

/** What was pulled; `version` is what its own label says, whatever the plan says. */
export type Candidate = {
  readonly repository: string
  readonly digest: string
  readonly manifestDigest: string
  readonly version: string
}

/** What runs, and two ways back: a rollout that was superseded may have gone between a host and what is stable. */
const FLOORS_MAX = 3

/**
 * What keeps an image from being deployed; null: nothing does. What this host has proven itself may always come back,
 * or a rollout that failed could not be taken back.
 */
export function belowFloor(
  image: Candidate,
  floors: readonly Floor[],
  { permits, refused }: Guard,
  nowMs: number,
): string | null {
  const floor = floors[0]?.version ?? ''
  if (floor === '' || floors.some(({ manifestDigest }) => manifestDigest === image.manifestDigest))
    return null
  const order = orderOfVersions(image.version, floor)
  if (order === 0 || order === 1) return null
  if (permits.some((permit) => covers(permit, image, nowMs))) return null
  const label = image.version === '' ? 'it has no version label' : `its version label is ${image.version}`
  const found = order === null ? `cannot be compared with` : `is lower than`
  const why = refused.length === 0 ? '' : ` (${refused.join('; ')})`
  return `deploying ${image.digest}: ${label}, which ${found} ${floor} that ran here, and no permit of the approvers covers it${why}; name another image, or have one signed: bootfleet trust permit downgrade`
}

function covers(
  { repository, untilMs, image }: DowngradePermit,
  candidate: Candidate,
  nowMs: number,
): boolean {
  if (repository !== candidate.repository || untilMs <= nowMs) return false
  switch (image.kind) {
    case 'Digest':
      return image.digest === candidate.digest || image.digest === candidate.manifestDigest
    case 'LowestVersion': {
      const order = orderOfVersions(candidate.version, image.version)
      return order === 0 || order === 1
    }
  }
}

/**
 * After an image proved itself. Whatever way it came, no chain of ways back leads lower than one of them did: only a
 * lower version, which needs a permit where there are approvers, does.
 */
export function proven(
  floors: readonly Floor[],
  image: Pick<Candidate, 'manifestDigest' | 'version'>,
  rollout: string,
): readonly Floor[] {
  const known = floors.findIndex(({ manifestDigest }) => manifestDigest === image.manifestDigest)
  if (known !== -1) return floors.slice(known)
  const [top] = floors
  const before = top?.version ?? ''
  const order = orderOfVersions(image.version, before === '' ? image.version : before)
  const floor = {
    manifestDigest: image.manifestDigest,
    version: order === null ? before : image.version,
    rollout,
  }
  if (order === -1) return [floor]
  // An image on the way of one rollout is not what that rollout would be taken back to.
  if (top?.rollout === rollout) return [floor, ...floors.slice(1)]
  return [floor, ...floors].slice(0, FLOORS_MAX)
}
