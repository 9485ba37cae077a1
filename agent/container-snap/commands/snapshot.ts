import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { discardHalfMade, refuseHalfMade } from '../deploy/half-made.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { setSubvolumeReadonly } from '../store/btrfs.ts'
import { makeCopy } from '../store/copies.ts'
import { changeStore, openView, recordLedger } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'

export async function createSnapshot(context: Context, baseId: string): Promise<string> {
  const record = await changeStore(context, async (opened) => {
    const base = findSnapshot(opened, baseId)
    refuseHalfMade(opened, base, 'create snapshot of')
    const { view } = await discardHalfMade(context, await loaderOf(context), opened)
    const copy = await makeCopy(context, view, base, 'copy')
    const deployments = [...copy.ledger.deployments, copy.record]
    await recordLedger(context, { ...copy.ledger, creating: null, deployments })
    return copy.record
  })
  return context.json ? jsonLine(record) : `${record.id}\n`
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
