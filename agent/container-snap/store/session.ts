import type { BootEntry } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { SnapError } from '../errors.ts'
import { holdFlock } from '../exec.ts'
import type { Ledger } from '../ledger.ts'
import { emptyLedger, loadLedger, saveLedger, setAsideLedger } from '../ledger.ts'
import { adopt, restoreFromEntries, unknownCopies } from './adoption.ts'
import { listCreationTimes } from './btrfs.ts'
import { readInventory } from './inventory.ts'
import type { View } from './snapshots.ts'

const lockWaitMs = 60_000

/** For commands that only look: no lock, so a running pull or delete never holds them up. */
export async function openView(context: Context): Promise<View> {
  const { ledger, damaged } = await loadLedger(context.paths.ledgerFile)
  if (damaged) return changeStore(context, async (view) => view)
  return ledger === emptyLedger ? rebuilt(context) : adopted(context, ledger)
}

/** Runs one change with the store's lock held; what it sees cannot be changed by another container-snap. */
export async function changeStore<T>(context: Context, change: (view: View) => Promise<T>): Promise<T> {
  const lock = await holdFlock(context.paths.lockFile, lockWaitMs, context.signal)
  try {
    return await change(await repairedView(context))
  } finally {
    await lock.release()
  }
}

async function repairedView(context: Context): Promise<View> {
  const { paths } = context
  const { ledger, damaged } = await loadLedger(paths.ledgerFile)
  if (!damaged) return ledger === emptyLedger ? rebuilt(context) : adopted(context, ledger)
  const view = await rebuilt(context)
  const aside = await setAsideLedger(paths.ledgerFile)
  context.log(`the ledger was damaged: set aside as ${aside} and rebuilt from what is there`)
  await saveLedger(paths.ledgerFile, view.ledger)
  return view
}

/** Of a ledger that is damaged, or not there: from what is in the store, and on the ESP. */
async function rebuilt(context: Context): Promise<View> {
  const view = await adopted(context, emptyLedger)
  if (view.ledger.deployments.length === 0) return view
  return { ...view, ledger: restoreFromEntries(view.ledger, await entriesLeft(context)) }
}

/** Without them the rebuilt ledger knows less, and still lets the machine be used. */
async function entriesLeft(context: Context): Promise<readonly BootEntry[]> {
  try {
    return await (await loaderOf(context)).entries()
  } catch (error) {
    if (!(error instanceof SnapError) || error.code === 'interrupted') throw error
    context.log(`the boot entries cannot be asked: ${error.message}`)
    return []
  }
}

async function adopted(context: Context, ledger: Ledger): Promise<View> {
  const inventory = await readInventory(context)
  const unknown = unknownCopies(ledger, inventory)
  const createdAt = unknown.length === 0 ? new Map() : await listCreationTimes(context, context.paths.base)
  return { paths: context.paths, inventory, ledger: adopt(ledger, inventory, createdAt) }
}

export async function recordLedger(context: Context, ledger: Ledger): Promise<void> {
  await saveLedger(context.paths.ledgerFile, ledger)
}
