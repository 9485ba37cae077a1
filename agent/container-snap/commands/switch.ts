import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { SnapError } from '../errors.ts'
import { defaultSubvolumeId, setDefaultSubvolume, syncFileSystem } from '../store/btrfs.ts'
import { requireReady } from '../store/readiness.ts'
import { changeStore, openView, recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot, findSnapshot } from '../store/snapshots.ts'

/** Data before pointer, pointer before the caller's reboot; nothing in between can publish half a root. */
export async function switchTo(context: Context, id: string): Promise<string> {
  await changeStore(context, async (view) => makeDefault(context, view, findSnapshot(view, id)))
  return ''
}

async function makeDefault(context: Context, view: View, snapshot: Snapshot): Promise<void> {
  const ledger = await requireReady(context, view, snapshot.imageId)
  await requireSystemTree(snapshot)
  const { uuid, id } = snapshot.subvolume
  await recordLedger(context, { ...ledger, selected: { subvolumeUuid: uuid, imageId: snapshot.imageId } })
  await syncFileSystem(context, snapshot.path)
  await setDefaultSubvolume(context, id)
  await syncFileSystem(context, context.paths.base)
  const readBack = await defaultSubvolumeId(context)
  if (readBack !== id) {
    throw new SnapError(
      'storage-failed',
      `switch to ${snapshot.id}: the default is subvolume ${readBack}, not ${id}`,
    )
  }
}

async function requireSystemTree(snapshot: Snapshot): Promise<void> {
  const { path } = snapshot
  const release = await Promise.all([
    hasText(join(path, 'etc/os-release')),
    hasText(join(path, 'usr/lib/os-release')),
  ])
  const missing = [
    release.includes(true) ? [] : ['os-release with text in it'],
    (await isDirectory(join(path, 'usr'))) ? [] : ['/usr'],
    (await isDirectory(join(path, 'var'))) ? [] : ['/var'],
  ].flat()
  if (missing.length === 0) return
  throw new SnapError(
    'refused',
    `switch to ${snapshot.id}: no bootable system tree, it has no ${missing.join(' and no ')}`,
  )
}

async function hasText(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() && found.size > 0,
    () => false,
  )
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

export async function getDefault(context: Context): Promise<string> {
  return pointer(context, defaultSnapshot, 'default')
}

export async function getCurrent(context: Context): Promise<string> {
  return pointer(context, currentSnapshot, 'current')
}

/** With --json, null is an answer; without it, tukit needs a failing status. */
async function pointer(
  context: Context,
  pick: (view: View) => Snapshot | null,
  word: string,
): Promise<string> {
  const snapshot = pick(await openView(context))
  if (context.json) return jsonLine(snapshot === null ? null : { id: snapshot.id })
  if (snapshot !== null) return `${snapshot.id}\n`
  const where = `the ${word} root of ${context.paths.sysroot}`
  throw new SnapError(
    'not-found',
    `${where} is no snapshot of this store; create-snapshot and switch make one`,
  )
}
