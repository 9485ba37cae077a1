import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { DeploymentRecord, Ledger } from '../ledger.ts'
import { listSubvolumes, snapshotSubvolume } from './btrfs.ts'
import { requireReady } from './readiness.ts'
import { recordLedger } from './session.ts'
import type { Snapshot, View } from './snapshots.ts'
import { nextCopyNumber, parseCopyName } from './snapshots.ts'

export type CopyPurpose = 'copy' | 'deployment'

export type MadeCopy = {
  /** Not in the ledger yet: who made the copy says when it is whole. */
  record: DeploymentRecord
  snapshot: Snapshot
  /** Its intent is still in it. */
  ledger: Ledger
}

/** Intent, then the copy; the caller takes the intent away in the same write that brings the record in. */
export async function makeCopy(
  context: Context,
  view: View,
  base: Snapshot,
  purpose: CopyPurpose,
): Promise<MadeCopy> {
  const { paths } = view
  const layer = parseCopyName(base.subvolume.name)?.layer ?? base.subvolume.name
  const number = nextCopyNumber(await readdir(paths.subvolumes), layer)
  const name = `${layer}-work${number}`
  const path = join(paths.subvolumes, name)
  const ready = await requireReady(context, view, base.imageId)
  const ledger: Ledger = { ...ready, creating: { name, imageId: base.imageId, purpose } }
  await recordLedger(context, ledger)
  await context.failpoint?.('copy-intended')
  await snapshotSubvolume(context, base.path, path)
  await context.failpoint?.('copy-made')
  const made = (await listSubvolumes(context, paths.subvolumes)).find((one) => one.path.endsWith(`/${name}`))
  if (made === undefined)
    throw new SnapError('storage-failed', `create snapshot of ${base.id}: ${path} is not there`)
  const { imageId } = base
  const id = `${imageId}-work${number}`
  const subvolume = { name, id: made.id, uuid: made.uuid, readonly: false }
  return {
    record: newRecord(ledger, base, subvolume.uuid, id),
    snapshot: { kind: 'copy', id, imageId, path, subvolume },
    ledger,
  }
}

function newRecord(ledger: Ledger, base: Snapshot, subvolumeUuid: string, id: string): DeploymentRecord {
  const image = ledger.images.find((candidate) => candidate.imageId === base.imageId)
  const parent = ledger.deployments.find((candidate) => candidate.subvolumeUuid === base.subvolume.uuid)
  return {
    subvolumeUuid,
    id,
    imageId: base.imageId,
    digest: parent?.digest ?? image?.digests.at(-1) ?? '',
    manifestDigest: parent?.manifestDigest ?? image?.manifestDigest ?? '',
    createdAt: new Date().toISOString(),
    pinned: false,
    stagedAt: null,
    activation: null,
    blessedAt: null,
    bad: null,
    source: null,
    kernelArguments: parent?.kernelArguments ?? [],
  }
}
