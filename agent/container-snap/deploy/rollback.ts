import type { Loader } from '../boot/loader.ts'
import type { Asker } from '../asker.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot } from '../store/snapshots.ts'
import { activateSnapshot } from './activation.ts'
import { bootDeployment, recordOf, withRecord } from './boot-deployment.ts'
import { withMove } from './move.ts'
import { activatedSnapshot, requireRollbackTarget } from './targets.ts'

export type RollbackRequest = {
  /** Null for the last one that has proven itself. */
  target: Snapshot | null
  /** Why what we go away from must not be booted again; null where it may. */
  reason: string | null
  asker: Asker
}

export type RolledBack = { id: string; activation: number | null; bad: string | null }

/**
 * The mark against the one we leave is in the ledger with the intent, and in the loader when the way back is open:
 * until then a machine that is cut off still has something to boot.
 */
export async function rollBack(
  context: Context,
  loader: Loader,
  view: View,
  { target: asked, reason, asker }: RollbackRequest,
): Promise<RolledBack> {
  const target = asked ?? requireRollbackTarget(view)
  const left = leftBehind(view, target)
  const marked = reason === null ? view : markInLedger(view, left, reason)
  const bad = reason === null ? null : left
  const done =
    left === null
      ? { activation: recordOf(view, target)?.activation ?? null, view: marked }
      : await activateSnapshot(
          context,
          loader,
          withMove(marked, target, { asker, command: 'rollback' }),
          target,
        )
  if (bad !== null) await loader.markBad(await bootDeployment(done.view, bad))
  await context.failpoint?.('entry-marked-bad')
  return { id: target.id, activation: done.activation, bad: bad?.id ?? null }
}

/** What runs, or where it is the target, what was going to. Null where all is at the target already. */
function leftBehind(view: View, target: Snapshot): Snapshot | null {
  const candidates = [currentSnapshot(view), activatedSnapshot(view), defaultSnapshot(view)]
  return candidates.find((snapshot) => snapshot !== null && snapshot.id !== target.id) ?? null
}

function markInLedger(view: View, left: Snapshot | null, reason: string): View {
  if (left === null) return view
  if (recordOf(view, left) === null) {
    throw new SnapError('refused', `roll back with --bad: ${left.id} is no deployment of this store`)
  }
  return withRecord(view, left.subvolume.uuid, { bad: recordOf(view, left)?.bad ?? reason })
}
