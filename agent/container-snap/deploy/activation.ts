import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Activating } from '../ledger.ts'
import { bootIdentity } from '../store/boot-identity.ts'
import { defaultSubvolumeId, setDefaultSubvolume, syncFileSystem } from '../store/btrfs.ts'
import { requireReady } from '../store/readiness.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { bootDeployment, recordOf, withRecord } from './boot-deployment.ts'
import { refuseHalfMade } from './half-made.ts'
import { requireSystemTree } from './system-tree.ts'

/** Without a number where nothing keeps count: a bare copy on a machine without a loader of ours. */
export type Activated = { activation: number | null; view: View }

/**
 * Makes a deployment what boots next. Data before pointer, intent before commit point, and the caller's reboot after
 * all of it: where entries decide, the change of them is the commit point, else the default subvolume.
 */
export async function activateSnapshot(
  context: Context,
  loader: Loader,
  opened: View,
  snapshot: Snapshot,
): Promise<Activated> {
  await requireBootable(context, loader, opened, snapshot)
  const ready = { ...opened, ledger: await requireReady(context, opened, snapshot.imageId) }
  const view = loader.kind === 'none' ? ready : await stageBare(context, loader, ready, snapshot)
  const { uuid: subvolumeUuid } = snapshot.subvolume
  const activating = await intentOf(loader, view, snapshot)
  const activations = activating?.activation ?? view.ledger.activations
  const selected = { subvolumeUuid, imageId: snapshot.imageId }
  const intended = { ...view, ledger: { ...view.ledger, activating, activations, selected } }
  await recordLedger(context, intended.ledger)
  await context.failpoint?.('activation-intended')
  await syncFileSystem(context, snapshot.path)
  await context.failpoint?.('activation-synced')
  if (activating !== null) {
    const counted = recordOf(view, snapshot)?.blessedAt === null
    const options = { activation: activating.activation, counted }
    await loader.activate(await bootDeployment(view, snapshot), options)
  }
  await context.failpoint?.('entry-activated')
  const done = await makeDefault(context, intended, snapshot)
  if (activating === null) return { activation: null, view: done }
  const { activation } = activating
  const recorded = withRecord(done, subvolumeUuid, { activation })
  await recordLedger(context, recorded.ledger)
  await context.failpoint?.('activation-recorded')
  return { activation, view: recorded }
}

async function intentOf(loader: Loader, view: View, snapshot: Snapshot): Promise<Activating | null> {
  if ((recordOf(view, snapshot)?.stagedAt ?? null) === null) return null
  return {
    subvolumeUuid: snapshot.subvolume.uuid,
    activation: await nextActivation(loader, view),
    bootId: await bootIdentity(view.paths),
  }
}

async function requireBootable(
  context: Context,
  loader: Loader,
  view: View,
  snapshot: Snapshot,
): Promise<void> {
  const attempt = 'switch to'
  refuseHalfMade(view, snapshot, attempt)
  const bad = recordOf(view, snapshot)?.bad ?? null
  if (bad !== null) {
    const advice = `container-snap bless ${snapshot.id} takes the mark away`
    throw new SnapError('refused', `${attempt} ${snapshot.id}: it is marked bad: ${bad}; ${advice}`)
  }
  if (loader.kind !== 'none' && snapshot.kind === 'image') {
    const advice = `container-snap deploy ${snapshot.id} makes a deployment of it`
    throw new SnapError(
      'refused',
      `${attempt} ${snapshot.id}: an image's own subvolume gets no entry; ${advice}`,
    )
  }
  await requireSystemTree(snapshot, attempt)
}

/** A copy that `deploy` did not make, or one whose entry is lost, gets kernel and entry on the way. */
async function stageBare(context: Context, loader: Loader, view: View, snapshot: Snapshot): Promise<View> {
  const staged = (recordOf(view, snapshot)?.stagedAt ?? null) !== null
  if (staged && (loader.commitPoint === 'default' || (await hasEntry(loader, snapshot)))) return view
  await syncFileSystem(context, snapshot.path)
  await loader.stage(await bootDeployment(view, snapshot))
  if (staged) return view
  const marked = withRecord(view, snapshot.subvolume.uuid, { stagedAt: new Date().toISOString() })
  await recordLedger(context, marked.ledger)
  return marked
}

async function hasEntry(loader: Loader, { id }: Snapshot): Promise<boolean> {
  return (await loader.entries()).some((entry) => entry.deploymentId === id)
}

/** Above the entries' too: a ledger that was rebuilt may not know them all. */
async function nextActivation(loader: Loader, view: View): Promise<number> {
  const used = (await loader.entries()).map((entry) => entry.activation ?? 0)
  return Math.max(view.ledger.activations, ...used) + 1
}

/** Nothing in between can publish half a root: the caller has synced the data. */
export async function makeDefault(context: Context, view: View, snapshot: Snapshot): Promise<View> {
  const { id } = snapshot.subvolume
  await setDefaultSubvolume(context, id)
  await context.failpoint?.('default-set')
  await syncFileSystem(context, context.paths.base)
  const readBack = await defaultSubvolumeId(context)
  if (readBack !== id) {
    throw new SnapError(
      'storage-failed',
      `switch to ${snapshot.id}: the default is subvolume ${readBack}, not ${id}`,
    )
  }
  await context.failpoint?.('default-synced')
  return { ...view, inventory: { ...view.inventory, defaultId: id } }
}
