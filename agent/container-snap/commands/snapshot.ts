import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { DeploymentRecord } from '../ledger.ts'
import { listSubvolumes, setSubvolumeReadonly, snapshotSubvolume } from '../store/btrfs.ts'
import { requireReady } from '../store/readiness.ts'
import { changeStore, openView, recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { findSnapshot, nextCopyNumber, parseCopyName } from '../store/snapshots.ts'

export async function createSnapshot(context: Context, baseId: string): Promise<string> {
  const record = await changeStore(context, async (view) =>
    createCopy(context, view, findSnapshot(view, baseId)),
  )
  return context.json ? jsonLine(record) : `${record.id}\n`
}

async function createCopy(context: Context, view: View, base: Snapshot): Promise<DeploymentRecord> {
  const { paths } = view
  const ledger = await requireReady(context, view, base.imageId)
  const layer = parseCopyName(base.subvolume.name)?.layer ?? base.subvolume.name
  const number = nextCopyNumber(await readdir(paths.subvolumes), layer)
  const name = `${layer}-work${number}`
  const target = join(paths.subvolumes, name)
  await recordLedger(context, { ...ledger, creating: { name, imageId: base.imageId } })
  await snapshotSubvolume(context, base.path, target)
  const made = (await listSubvolumes(context, paths.subvolumes)).find((one) => one.path.endsWith(`/${name}`))
  if (made === undefined)
    throw new SnapError('storage-failed', `create snapshot of ${base.id}: ${target} is not there`)
  const image = ledger.images.find((candidate) => candidate.imageId === base.imageId)
  const parent = ledger.deployments.find((candidate) => candidate.subvolumeUuid === base.subvolume.uuid)
  const record: DeploymentRecord = {
    subvolumeUuid: made.uuid,
    id: `${base.imageId}-work${number}`,
    imageId: base.imageId,
    digest: parent?.digest ?? image?.digests.at(-1) ?? '',
    manifestDigest: parent?.manifestDigest ?? image?.manifestDigest ?? '',
    createdAt: new Date().toISOString(),
    pinned: false,
  }
  await recordLedger(context, { ...ledger, creating: null, deployments: [...ledger.deployments, record] })
  return record
}

export async function getRoot(context: Context, id: string): Promise<string> {
  const { path } = findSnapshot(await openView(context), id)
  return context.json ? jsonLine({ id, root: `${path}/` }) : `${path}/\n`
}

export async function getReadonlyState(context: Context, id: string): Promise<string> {
  const { readonly } = findSnapshot(await openView(context), id).subvolume
  return context.json ? jsonLine({ id, readonly }) : `${readonly}\n`
}

export async function setReadonlyState(context: Context, id: string, readonly: boolean): Promise<string> {
  await changeStore(context, async (view) =>
    setSubvolumeReadonly(context, findSnapshot(view, id).path, readonly),
  )
  return ''
}
