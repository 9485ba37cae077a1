import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot } from '../store/snapshots.ts'
import { bootDeployment, recordOf, withRecord } from './boot-deployment.ts'
import { refuseHalfMade } from './half-made.ts'

export type Blessed = { id: string; blessedAt: string }

/**
 * Entry first, ledger second: a crash in between leaves a good entry that a second bless completes, where the other
 * way round a proven deployment would go on using up its tries. Null is what runs.
 */
export async function blessSnapshot(
  context: Context,
  loader: Loader,
  view: View,
  asked: Snapshot | null,
): Promise<Blessed> {
  const snapshot = asked ?? currentSnapshot(view)
  const record = recordOf(view, snapshot)
  if (snapshot === null || record === null) {
    const found = snapshot === null ? `what runs at ${view.paths.sysroot}` : snapshot.id
    throw new SnapError('refused', `bless: ${found} is no deployment of this store`)
  }
  refuseHalfMade(view, snapshot, 'bless')
  if (record.bad !== null && asked === null) {
    const advice = `container-snap bless ${record.id} takes the mark away`
    throw new SnapError('refused', `bless ${record.id}: it is marked bad: ${record.bad}; ${advice}`)
  }
  await loader.bless(await bootDeployment(view, snapshot))
  await context.failpoint?.('entry-blessed')
  const blessedAt = record.blessedAt ?? new Date().toISOString()
  const { activating } = view.ledger
  const onTrial =
    activating?.subvolumeUuid === record.subvolumeUuid && snapshot.id === currentSnapshot(view)?.id
  const { ledger } = withRecord(view, record.subvolumeUuid, { blessedAt, bad: null })
  await recordLedger(context, { ...ledger, activating: onTrial ? null : activating })
  return { id: record.id, blessedAt }
}
