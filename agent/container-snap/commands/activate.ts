import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { activateSnapshot } from '../deploy/activation.ts'
import { blessSnapshot } from '../deploy/blessing.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { withMove } from '../deploy/move.ts'
import { refreshEtc } from '../deploy/refresh-etc.ts'
import { rollBack } from '../deploy/rollback.ts'
import { changeStore } from '../store/session.ts'
import { findSnapshot } from '../store/snapshots.ts'

async function activateId(
  context: Context,
  id: string,
  command: 'activate' | 'switch',
): Promise<{ id: string; activation: number | null }> {
  const asker = await context.asker()
  return changeStore(context, async (opened) => {
    const snapshot = findSnapshot(opened, id)
    const loader = await loaderOf(context)
    const view = await refreshEtc(context, loader, opened, snapshot)
    const moved = withMove(view, snapshot, { asker, command })
    const { activation } = await activateSnapshot(context, loader, moved, snapshot)
    return { id: snapshot.id, activation }
  })
}

export async function activate(context: Context, id: string): Promise<string> {
  const activated = await activateId(context, id, 'activate')
  return context.json ? jsonLine(activated) : ''
}

/** Prints nothing, as the original. */
export async function switchTo(context: Context, id: string): Promise<string> {
  await activateId(context, id, 'switch')
  return ''
}

export type RollbackOptions = { bad: string | undefined }

export async function rollback(
  context: Context,
  id: string | undefined,
  { bad }: RollbackOptions,
): Promise<string> {
  const asker = await context.asker()
  const done = await changeStore(context, async (view) => {
    const target = id === undefined ? null : findSnapshot(view, id)
    return rollBack(context, await loaderOf(context), view, { target, reason: bad ?? null, asker })
  })
  return context.json ? jsonLine(done) : `${done.id}\n`
}

export async function bless(context: Context, id: string | undefined): Promise<string> {
  const blessed = await changeStore(context, async (view) => {
    const snapshot = id === undefined ? null : findSnapshot(view, id)
    return blessSnapshot(context, await loaderOf(context), view, snapshot)
  })
  return context.json ? jsonLine(blessed) : ''
}
