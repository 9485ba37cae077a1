import { canonicalRevisionInput } from '../desired-state/revision.ts'
import { learnVersion } from './barriers.ts'
import { denialOf } from './fleet-record.ts'
import { sha256 } from './sha256.ts'
import { fleetOf } from './state-entries.ts'
import type { RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import type { RolloutRecord } from './records.ts'
import type { WantedFleet } from './wanted.ts'

type Success = { readonly record: RolloutRecord; readonly atMs: number }

/**
 * Gives fleets that follow another one their image: that of the newest rollout that succeeded there for long enough
 * and is not denied there. So a source that releases often does not starve its followers.
 */
export function followFleets(state: RolloutEngineState, now: Now): void {
  if (state.wanted === null) return
  const changed: WantedFleet[] = []
  for (const wanted of state.wanted.values()) {
    if (wanted.follows === null) continue
    const { fleet, succeededForMs } = wanted.follows
    const found = successesOf(state, fleet).find(({ atMs }) => atMs + succeededForMs <= now.wallMs)
    const image = found?.record.image ?? null
    if (image?.digest === wanted.image?.digest) continue
    learnVersion(state.versions, image)
    const { health } = wanted.strategy
    const { verify = null } = wanted
    const barriers = wanted.requires.map(({ below, via }) => ({ below, digest: via.digest }))
    const revision = image === null ? '' : sha256(canonicalRevisionInput({ image, health, verify, barriers }))
    changed.push({ ...wanted, image, revision })
  }
  if (changed.length === 0) return
  state.wanted = new Map([...state.wanted, ...changed.map((wanted) => [wanted.name, wanted] as const)])
}

/** When a fleet that succeeded has done so for long enough. */
export function timeToFollow(state: RolloutEngineState, now: Now): number | null {
  let soonestMs: number | null = null
  for (const { follows } of state.wanted?.values() ?? []) {
    if (follows === null) continue
    for (const { atMs } of successesOf(state, follows.fleet)) {
      const waitMs = atMs + follows.succeededForMs - now.wallMs
      if (waitMs > 0) soonestMs = Math.min(soonestMs ?? waitMs, waitMs)
    }
  }
  return soonestMs
}

/** Newest first. */
function successesOf(state: RolloutEngineState, name: string): readonly Success[] {
  const fleet = fleetOf(state, name)
  return [...state.rollouts.values()]
    .flatMap(({ record }): Success[] => {
      if (record.fleet !== name || record.state.kind !== 'Succeeded') return []
      return denialOf(fleet, record.image.digest) === null ? [{ record, atMs: record.state.atMs }] : []
    })
    .toSorted((a, b) => b.record.generation - a.record.generation)
}
