import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { SnapError } from '../errors.ts'
import { currentIdByMounts } from '../store/current-by-mounts.ts'
import { openView } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot } from '../store/snapshots.ts'

export async function getDefault(context: Context): Promise<string> {
  return pointer(context, defaultSnapshot, 'default')
}

export async function getCurrent(context: Context): Promise<string> {
  const id = await currentIdByMounts(context.paths)
  if (id !== null) return context.json ? jsonLine({ id }) : `${id}\n`
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
