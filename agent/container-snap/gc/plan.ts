import type { Context } from '../context.ts'
import { halfMade } from '../deploy/half-made.ts'
import { activatedSnapshot, fallbackOf } from '../deploy/targets.ts'
import { SnapError } from '../errors.ts'
import { listBelowStore, storeFromTopLevel } from '../store/inventory.ts'
import { readMounts } from '../store/mounts.ts'
import { bootIdentity } from '../store/boot-identity.ts'
import { concerns } from '../store/readiness.ts'
import { otherPullRuns } from '../store/scratch.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot, listSnapshots } from '../store/snapshots.ts'
import type { BelowStore, Leftover } from './leftovers.ts'
import { findLeftovers } from './leftovers.ts'
import type { GcOptions, GcSelection } from './selection.ts'
import { select } from './selection.ts'

export type GcPlan = GcSelection & {
  leftovers: readonly Leftover[]
  subvolumes: readonly BelowStore[]
  /** Images and layers stay for now: the pull may build on any of them. */
  pullRuns: boolean
}

export async function planCollection(context: Context, view: View, options: GcOptions): Promise<GcPlan> {
  const subvolumes = await listBelowStore(context)
  const isHeld = await holder(view, subvolumes)
  const fallback = fallbackOf(view)
  const unfinished = halfMade(view)
  const selection = select(
    {
      deployments: view.ledger.deployments.filter((record) => record.id !== unfinished?.id),
      images: view.ledger.images,
      held: heldIds(view, fallback, isHeld),
      beingPulled: await imagesBeingPulled(view),
      current: currentSnapshot(view)?.id ?? null,
      fallback: fallback?.id ?? null,
    },
    options,
  )
  const pullRuns = await otherPullRuns(context.paths.scratch)
  const leftovers = findLeftovers({
    subvolumes,
    known: new Set(view.ledger.deployments.map((record) => record.subvolumeUuid)),
    layers: new Set(view.inventory.stored.layers.keys()),
    isHeld,
  })
  refuseWithoutImages(view, leftovers)
  return {
    ...selection,
    ...(pullRuns ? { images: [] } : {}),
    leftovers: pullRuns ? [] : leftovers,
    subvolumes,
    pullRuns,
  }
}

/** A store that has lost its records would make a leftover of every copy, the way back included. */
function refuseWithoutImages(view: View, leftovers: readonly Leftover[]): void {
  if (view.inventory.stored.images.length > 0 || leftovers.length === 0) return
  throw new SnapError(
    'refused',
    `gc: the image store names no image, yet ${leftovers.length} subvolumes are in it; if its records are lost, ` +
      'pull the image that runs again first, else delete them by hand',
  )
}

/** Whether a subvolume is, or holds inside it, what runs, boots next, or is mounted anywhere here. */
async function holder(view: View, subvolumes: readonly BelowStore[]): Promise<(name: string) => boolean> {
  const { currentId, defaultId } = view.inventory
  const store = await storeFromTopLevel(view.paths)
  const mounted = (await readMounts()).flatMap(({ root }) =>
    root.startsWith(`/${store}/`) ? [root.slice(store.length + 2)] : [],
  )
  const pointed = subvolumes.filter(({ id }) => id === currentId || id === defaultId).map(({ name }) => name)
  const names = [...mounted, ...pointed]
  return (name) => names.some((held) => held === name || held.startsWith(`${name}/`))
}

function heldIds(
  view: View,
  fallback: Snapshot | null,
  isHeld: (name: string) => boolean,
): ReadonlyMap<string, string> {
  const held = new Map<string, string>()
  for (const { id, subvolume } of listSnapshots(view)) {
    if (isHeld(subvolume.name)) held.set(id, 'it is mounted, or something inside it is')
  }
  const pointers = [
    [fallback, 'it is the way back'],
    [activatedSnapshot(view), 'it is activated'],
    [defaultSnapshot(view), 'it boots next'],
    [currentSnapshot(view), 'it runs'],
  ] as const
  for (const [snapshot, reason] of pointers) if (snapshot !== null) held.set(snapshot.id, reason)
  return held
}

async function imagesBeingPulled({ paths, ledger, inventory }: View): Promise<ReadonlySet<string>> {
  const thisBoot = await bootIdentity(paths)
  const open = ledger.pulls.filter((intent) => intent.bootId === thisBoot)
  const images = inventory.stored.images.filter((image) => open.some((intent) => concerns(intent, image)))
  return new Set(images.map((image) => image.id))
}
