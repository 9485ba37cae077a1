import type { Context } from '../context.ts'
import { withRecord } from '../deploy/boot-deployment.ts'
import { SnapError } from '../errors.ts'
import { changeStore, recordLedger } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'

/** A pinned copy is deleted by nobody. */
export async function setPinned(context: Context, id: string, pinned: boolean): Promise<string> {
  await changeStore(context, async (view) => {
    const snapshot = findSnapshot(view, id)
    if (snapshot.kind === 'image') {
      const advice = `pin a copy of it: ${id}-workN`
      throw new SnapError('refused', `${pinned ? 'pin' : 'unpin'} ${id}: it is an image; ${advice}`)
    }
    await recordLedger(context, withRecord(view, snapshot.subvolume.uuid, { pinned }).ledger)
  })
  return ''
}
