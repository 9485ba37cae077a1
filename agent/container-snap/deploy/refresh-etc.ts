import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { mergeEtc } from '../etc/merge.ts'
import { run } from '../exec.ts'
import type { DeploymentRecord } from '../ledger.ts'
import { syncFileSystem } from '../store/btrfs.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { findSnapshot } from '../store/snapshots.ts'
import { bootDeployment, recordOf, withRecord } from './boot-deployment.ts'
import { runningEtc } from './etc-base.ts'
import { discardHalfMade, refuseHalfMade } from './half-made.ts'
import { labelFiles } from './labels.ts'
import { givenBase, sourceOf } from './source.ts'

/**
 * A deployment may wait for days, and what is changed in /etc meanwhile must not be lost with its activation: it is
 * merged once more, beside the first one. While the two change places the deployment counts as half-made.
 */
export async function refreshEtc(
  context: Context,
  loader: Loader,
  opened: View,
  snapshot: Snapshot,
): Promise<View> {
  const record = recordOf(opened, snapshot)
  const roots = runningEtc(opened)
  if (record === null || roots === null || !isWaiting(opened, record, snapshot)) return opened
  const merged = join(snapshot.path, '.etc.merged')
  await rm(merged, { recursive: true, force: true }) // of a crash
  const source = await sourceOf(context, opened, roots)
  if (source === record.source) return opened
  refuseHalfMade(opened, snapshot, 'activate')
  if (await wasChangedByHand(snapshot, record)) {
    context.warn(`the /etc of ${snapshot.id} was changed by hand, so what changed here since is not in it`)
    return opened
  }
  const { view } = await discardHalfMade(context, loader, opened)
  try {
    await copyTree(context, join(findSnapshot(view, snapshot.imageId).path, 'etc'), merged)
    const { conflicts } = await mergeEtc({ ...roots, next: merged }, context)
    for (const path of conflicts) context.warn(`both this machine and the image changed in /etc: ${path}`)
    await syncFileSystem(context, snapshot.path)
  } catch (error) {
    await rm(merged, { recursive: true, force: true })
    throw error
  }
  await context.failpoint?.('etc-merged-again')
  return exchange(context, loader, view, { snapshot, merged, source })
}

/** Made by `deploy` as a merge from what runs, and never booted, nor about to be. */
function isWaiting({ ledger, inventory }: View, record: DeploymentRecord, { subvolume }: Snapshot): boolean {
  const { source, activation, stagedAt, bad, subvolumeUuid } = record
  const isUntouched = stagedAt !== null && activation === null && bad === null && !subvolume.readonly
  const isNext = ledger.activating?.subvolumeUuid === subvolumeUuid || inventory.defaultId === subvolume.id
  return isUntouched && !isNext && source !== null && !source.endsWith(givenBase)
}

/** By `call`, for example: nobody else has written to it since. */
async function wasChangedByHand({ path }: Snapshot, { stagedAt }: DeploymentRecord): Promise<boolean> {
  const etc = join(path, 'etc')
  const madeAtMs = Date.parse(stagedAt ?? '')
  for (const name of ['.', ...(await readdir(etc, { recursive: true }))]) {
    if ((await lstat(join(etc, name))).ctimeMs > madeAtMs) return true
  }
  return false
}

async function copyTree({ signal }: Context, from: string, to: string): Promise<void> {
  await run(['cp', '--archive', '--reflink=auto', '--no-target-directory', from, to], {
    signal,
    attempt: `copy ${from} to ${to}`,
  })
}

type Exchange = { snapshot: Snapshot; merged: string; source: string }

async function exchange(
  context: Context,
  loader: Loader,
  view: View,
  { snapshot, merged, source }: Exchange,
): Promise<View> {
  const { imageId, path, subvolume } = snapshot
  const creating = { name: subvolume.name, imageId, purpose: 'deployment' } as const
  const begun = { ...view, ledger: { ...view.ledger, creating } }
  await recordLedger(context, begun.ledger)
  await context.failpoint?.('etc-exchange-intended')
  const before = join(path, '.etc.before')
  await rename(join(path, 'etc'), before)
  await context.failpoint?.('etc-exchanged-half')
  await rename(merged, join(path, 'etc'))
  await rm(before, { recursive: true })
  await labelFiles(context, path, '/etc')
  // Where the loader's own programs write to the deployment, they do so again.
  if (loader.kind === 'tukit-grub2') await loader.stage(await bootDeployment(view, snapshot))
  await syncFileSystem(context, path)
  const stagedAt = new Date().toISOString()
  const { ledger } = withRecord(begun, subvolume.uuid, { source, stagedAt })
  const done = { ...view, ledger: { ...ledger, creating: null } }
  await recordLedger(context, done.ledger)
  await context.failpoint?.('etc-exchanged')
  return done
}
