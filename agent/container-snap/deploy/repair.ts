import type { BootEntry, Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { bootIdentity } from '../store/boot-identity.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot } from '../store/snapshots.ts'
import { activateSnapshot, makeDefault } from './activation.ts'
import { bootDeployment, knownDeployments, recordOf, stagedSnapshots, withRecord } from './boot-deployment.ts'
import { discardHalfMade } from './half-made.ts'
import { activatedSnapshot, fallbackOf } from './targets.ts'

/** What a repair knows and has done so far. */
type Repair = { context: Context; loader: Loader; view: View; entries: readonly BootEntry[]; done: string[] }

/**
 * Makes of what a crash or a boot left what the commands expect. Each step can be cut off and done again. Returns a
 * line for each thing done.
 */
export async function repairStore(
  context: Context,
  loader: Loader,
  opened: View,
): Promise<readonly string[]> {
  const { view, discarded } = await discardHalfMade(context, loader, opened)
  const done = discarded === null ? [] : [`threw away ${discarded}: its deploy did not end`]
  const known = await knownDeployments(view, await loader.entries())
  done.push(...(await loader.repair(known)))
  const start: Repair = { context, loader, view, entries: await loader.entries(), done }
  const settled = await settleActivation(start)
  const adopted = await adoptGoodEntry(settled)
  const marked = await carryVerdicts(adopted)
  const followed = await followBoot(marked)
  return (await leaveBad(followed)).done
}

async function record(repair: Repair, view: View, line: string | null): Promise<Repair> {
  await recordLedger(repair.context, view.ledger)
  await repair.context.failpoint?.('repair-recorded')
  return { ...repair, view, done: line === null ? repair.done : [...repair.done, line] }
}

/** Whether the last activation got past its commit point. */
function isCommitted({ loader, view, entries }: Repair, activated: Snapshot): boolean {
  const activation = view.ledger.activating?.activation
  if (loader.commitPoint === 'default') return view.inventory.defaultId === activated.subvolume.id
  return entries.some(
    (entry) =>
      entry.deploymentId === activated.id && entry.kind !== 'staged' && entry.activation === activation,
  )
}

async function settleActivation(repair: Repair): Promise<Repair> {
  const { view, context } = repair
  const { activating } = view.ledger
  if (activating === null) return repair
  const activated = activatedSnapshot(view)
  const over: View = { ...view, ledger: { ...view.ledger, activating: null } }
  if (activated === null) return record(repair, over, null)
  if (activated.id === currentSnapshot(view)?.id)
    return settleRunning(repair, activated, activating.activation)
  if (!isCommitted(repair, activated)) {
    return record(repair, over, `forgot the activation of ${activated.id}: it was cut off before it counted`)
  }
  const numbered = await withActivation(repair, activated, activating.activation)
  return activating.bootId === (await bootIdentity(context.paths))
    ? finishActivation(numbered, activated)
    : giveUp(numbered, activated)
}

/** On trial until it has proven itself. */
async function settleRunning(repair: Repair, current: Snapshot, activation: number): Promise<Repair> {
  if (!isCommitted(repair, current) && repair.view.inventory.defaultId !== current.subvolume.id) {
    return finishReturn(repair, current)
  }
  const numbered = await withActivation(repair, current, activation)
  if ((recordOf(numbered.view, current)?.blessedAt ?? null) === null) return numbered
  const { ledger } = numbered.view
  return record(numbered, { ...numbered.view, ledger: { ...ledger, activating: null } }, null)
}

async function withActivation(repair: Repair, activated: Snapshot, activation: number): Promise<Repair> {
  const known = recordOf(repair.view, activated)
  if (known === null || known.activation === activation) return repair
  return record(repair, withRecord(repair.view, activated.subvolume.uuid, { activation }), null)
}

/** What waited for the next boot was to be taken back; half of that would boot it without its trial. */
async function finishReturn(repair: Repair, current: Snapshot): Promise<Repair> {
  const { view } = await activateSnapshot(repair.context, repair.loader, repair.view, current)
  return { ...repair, view, done: [...repair.done, `finished going back to ${current.id}`] }
}

/** Past the commit point the loader boots it; the default goes with it. */
async function finishActivation(repair: Repair, activated: Snapshot): Promise<Repair> {
  if (repair.view.inventory.defaultId === activated.subvolume.id) return repair
  const view = await makeDefault(repair.context, repair.view, activated)
  return { ...repair, view, done: [...repair.done, `finished the activation of ${activated.id}`] }
}

/** Another boot, and something else runs: it had its chance. */
async function giveUp(repair: Repair, activated: Snapshot): Promise<Repair> {
  const { view } = repair
  const entry = repair.entries.findLast((one) => one.deploymentId === activated.id && one.kind !== 'staged')
  const bad = `did not come up: ${evidenceOf(entry)}`
  const marked = withRecord(view, activated.subvolume.uuid, { bad: recordOf(view, activated)?.bad ?? bad })
  const ledger = { ...marked.ledger, activating: null }
  return record(repair, { ...marked, ledger }, `marked ${activated.id} bad: it ${bad}`)
}

function evidenceOf(entry: BootEntry | undefined): string {
  if (entry === undefined) return 'something else was booted'
  if (entry.triesDone === 0) return `entry ${entry.file} was not tried, another was booted`
  if (entry.triesDone === null) {
    const state = entry.kind === 'good' ? 'is good' : 'is not counted'
    return `entry ${entry.file} ${state}, another was booted`
  }
  const tries = entry.triesDone === 1 ? '1 try' : `${entry.triesDone} tries`
  return `entry ${entry.file} after ${tries}, ${entry.triesLeft ?? 0} left`
}

/** systemd-bless-boot took the counter away when the boot was complete: where nobody runs an agent, that is proof. */
async function adoptGoodEntry(repair: Repair): Promise<Repair> {
  const current = currentSnapshot(repair.view)
  const known = recordOf(repair.view, current)
  if (current === null || known === null || known.blessedAt !== null || known.bad !== null) return repair
  const entry = repair.entries.find((one) => one.deploymentId === current.id && one.kind !== 'staged')
  if (entry?.kind !== 'good') return repair
  const blessed = withRecord(repair.view, current.subvolume.uuid, { blessedAt: new Date().toISOString() })
  const onTrial = blessed.ledger.activating?.subvolumeUuid === current.subvolume.uuid
  const ledger = onTrial ? { ...blessed.ledger, activating: null } : blessed.ledger
  return record(repair, { ...blessed, ledger }, `blessed ${current.id}: its entry is good`)
}

/** The ledger's word against the entries': a crash may have come between the two. */
async function carryVerdicts(repair: Repair): Promise<Repair> {
  const { loader, view, entries } = repair
  const done = [...repair.done]
  for (const snapshot of stagedSnapshots(view)) {
    const known = recordOf(view, snapshot)
    const kinds = entries.filter((one) => one.deploymentId === snapshot.id).map((one) => one.kind)
    if (known?.bad != null && (kinds.includes('counted') || kinds.includes('good'))) {
      await loader.markBad(await bootDeployment(view, snapshot))
      done.push(`took the entry of ${snapshot.id} out of the choice: ${known.bad}`)
    } else if (known?.bad == null && known?.blessedAt != null && kinds.includes('counted')) {
      await loader.bless(await bootDeployment(view, snapshot))
      done.push(`took the counter from the entry of ${snapshot.id}: it has proven itself`)
    }
  }
  return { ...repair, done }
}

/**
 * Where entries decide what boots, the default follows. Where nothing but the default decides, one that differs is
 * somebody's wish for the next boot, unless it is of a deployment that must not be booted again.
 */
async function followBoot(repair: Repair): Promise<Repair> {
  const { context, loader, view } = repair
  const current = currentSnapshot(view)
  const next = defaultSnapshot(view)
  if (current === null || current.id === next?.id || recordOf(view, current)?.bad != null) return repair
  const wished =
    loader.commitPoint === 'entry' ? view.ledger.activating !== null : recordOf(view, next)?.bad == null
  if (wished && activatedSnapshot(view)?.id !== current.id) return repair
  const followed = await makeDefault(context, view, current)
  const line = `made ${current.id}, which runs, the default; it was ${next?.id ?? 'none of ours'}`
  return { ...repair, view: followed, done: [...repair.done, line] }
}

/** A rollback that was cut off: what must not be booted again is still what boots next. */
async function leaveBad(repair: Repair): Promise<Repair> {
  const { context, loader, view } = repair
  const next = defaultSnapshot(view)
  const target = fallbackOf(view)
  if (next === null || target === null || recordOf(view, next)?.bad == null) return repair
  const left = await activateSnapshot(context, loader, view, target)
  await loader.markBad(await bootDeployment(left.view, next))
  const line = `rolled back to ${target.id}: ${next.id} is marked bad`
  return { ...repair, view: left.view, done: [...repair.done, line] }
}
