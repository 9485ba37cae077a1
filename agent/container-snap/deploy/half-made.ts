import { join } from 'node:path'
import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { deleteSubvolume } from '../store/btrfs.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { listSnapshots } from '../store/snapshots.ts'

/** The copy of a deploy that did not end: it may lack half of /etc, and nobody was told its id. */
export function halfMade(view: View): Snapshot | null {
  const { creating } = view.ledger
  if (creating?.purpose !== 'deployment') return null
  return (
    listSnapshots(view).find((one) => one.kind === 'copy' && one.subvolume.name === creating.name) ?? null
  )
}

export function refuseHalfMade(view: View, snapshot: Snapshot, attempt: string): void {
  if (halfMade(view)?.id !== snapshot.id) return
  throw new SnapError('refused', `${attempt} ${snapshot.id}: its deploy did not end; deploy its image again`)
}

/** Entry first: one without a root is worse than a root without an entry. The intent goes last. */
export async function discardHalfMade(
  context: Context,
  loader: Loader,
  view: View,
): Promise<{ view: View; discarded: string | null }> {
  const { ledger, inventory, paths } = view
  if (ledger.creating?.purpose !== 'deployment') return { view, discarded: null }
  const copy = inventory.subvolumes.find((one) => one.name === ledger.creating?.name)
  const deployments = ledger.deployments.filter((record) => record.subvolumeUuid !== copy?.uuid)
  if (copy !== undefined) {
    await loader.keepOnly(deployments.map((record) => record.id))
    await deleteSubvolume(context, join(paths.subvolumes, copy.name))
  }
  const left = { ...ledger, deployments, creating: null }
  await recordLedger(context, left)
  const subvolumes = inventory.subvolumes.filter((one) => one !== copy)
  return {
    view: { ...view, ledger: left, inventory: { ...inventory, subvolumes } },
    discarded: copy?.name ?? null,
  }
}
