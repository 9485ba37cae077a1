import type { Status } from '../gen/bootfleet/v1/operator_pb.ts'

/** What is known of the fleets, and how old it is: the dashboard's and the web page's. */
export type Picture = {
  readonly nowMs: number
  readonly status: Status | null
  /** When that status came, by our own clock; 0 before the first. */
  readonly seenAtMs: number
  /** Statuses that the stream has told. */
  readonly changes: number
  /** Why there is no connection; null while there is one, or nobody knows otherwise yet. */
  readonly lost: string | null
}

/** An older status than this is not called current any more; asking for one takes a third of it. */
const STALE_AFTER_MS = 15_000

export function emptyPicture(nowMs: number): Picture {
  return { nowMs, status: null, seenAtMs: 0, changes: 0, lost: null }
}

export function withStatus<Kind extends Picture>(picture: Kind, status: Status): Kind {
  return { ...picture, status, seenAtMs: picture.nowMs, changes: picture.changes + 1, lost: null }
}

export function outOfTouch<Kind extends Picture>(picture: Kind, why: string): Kind {
  return { ...picture, lost: why }
}

export function atTime<Kind extends Picture>(picture: Kind, nowMs: number): Kind {
  return nowMs === picture.nowMs ? picture : { ...picture, nowMs }
}

/** Since when the picture may be wrong; null while it is current. */
export function staleSince({ seenAtMs, nowMs, lost }: Picture): number | null {
  if (seenAtMs === 0) return null
  return lost !== null || nowMs - seenAtMs > STALE_AFTER_MS ? seenAtMs : null
}
