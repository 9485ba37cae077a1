import { SnapError } from '../errors.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot, listSnapshots } from '../store/snapshots.ts'
import { recordOf } from './boot-deployment.ts'

/** What has proven itself and has nothing known against it, the last activated first. */
function provenSnapshots(view: View): Snapshot[] {
  return listSnapshots(view)
    .flatMap((snapshot) => {
      const record = recordOf(view, snapshot)
      return record !== null && record.blessedAt !== null && record.bad === null ? [{ snapshot, record }] : []
    })
    .toSorted((a, b) => {
      const byActivation = (b.record.activation ?? 0) - (a.record.activation ?? 0)
      return byActivation === 0
        ? (b.record.blessedAt ?? '').localeCompare(a.record.blessedAt ?? '')
        : byActivation
    })
    .map(({ snapshot }) => snapshot)
}

/**
 * Where `rollback` leads: to what runs, while something else waits for the next boot; else to the last one that has
 * proven itself before.
 */
export function rollbackTarget(view: View): Snapshot | null {
  const current = currentSnapshot(view)
  const proven = provenSnapshots(view)
  const waiting = defaultSnapshot(view)?.id !== current?.id
  const stay = waiting ? proven.find((snapshot) => snapshot.id === current?.id) : undefined
  return stay ?? fallbackOf(view)
}

/** The last one that proved itself, other than what runs: this machine's way back. */
export function fallbackOf(view: View): Snapshot | null {
  const current = currentSnapshot(view)
  return provenSnapshots(view).find((snapshot) => snapshot.id !== current?.id) ?? null
}

export function requireRollbackTarget(view: View): Snapshot {
  const target = rollbackTarget(view)
  if (target !== null) return target
  throw new SnapError(
    'refused',
    'roll back: no other deployment has proven itself; name one: container-snap rollback ID',
  )
}

/** Where the last activation leads, until a boot has shown what came of it. */
export function activatedSnapshot(view: View): Snapshot | null {
  const uuid = view.ledger.activating?.subvolumeUuid
  return listSnapshots(view).findLast((snapshot) => snapshot.subvolume.uuid === uuid) ?? null
}
