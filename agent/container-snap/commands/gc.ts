import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { discardHalfMade, halfMade } from '../deploy/half-made.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import type { Removed } from '../gc/collect.ts'
import { awaitCleaning, collect, usedBytes } from '../gc/collect.ts'
import type { GcPlan } from '../gc/plan.ts'
import { planCollection } from '../gc/plan.ts'
import type { GcOptions, Removal } from '../gc/selection.ts'
import { changeStore, openView } from '../store/session.ts'
import type { View } from '../store/snapshots.ts'

type Collected = {
  removed: readonly Removed[]
  kept: readonly Removal[]
  /** Null where nothing was done. */
  freedBytes: number | null
  espFreedBytes: number | null
  /** The kernel is not done giving space back. */
  cleaning: boolean
  pullRuns: boolean
}

export async function gc(context: Context, options: GcOptions): Promise<string> {
  const loader = await loaderOf(context)
  const removed: Removed[] = []
  const note = (one: Removed): void => {
    removed.push(one)
    if (!context.json) context.emit(`removed ${words(one)}`)
  }
  const { beforeBytes, espFreedBytes, plan } = await changeStore(context, async (opened) => {
    const before = await usedBytes(context)
    const unfinished = unfinishedOf(opened)
    const { view, discarded } = await discardHalfMade(context, loader, opened)
    if (discarded !== null) unfinished.forEach(note)
    const decided = await planCollection(context, view, options)
    const { espFreedBytes: esp } = await collect(context, loader, view, { ...decided, onRemoved: note })
    return { beforeBytes: before, espFreedBytes: esp, plan: decided }
  })
  // Without the lock: others may go on while the kernel cleans up.
  const cleaned = await awaitCleaning(context)
  const freedBytes = Math.max(0, beforeBytes - (await usedBytes(context)))
  const { kept, pullRuns } = plan
  const result = { removed, kept, freedBytes, espFreedBytes, cleaning: !cleaned, pullRuns }
  return context.json ? jsonLine(result) : summary(result)
}

/** The same decisions with nothing changed, the ledger included. */
export async function gcDryRun(context: Context, options: GcOptions): Promise<string> {
  const view = await openView(context)
  const plan = await planCollection(context, view, options)
  const removed = [...unfinishedOf(view), ...removalsOf(plan)]
  const { kept, pullRuns } = plan
  const result = { removed, kept, freedBytes: null, espFreedBytes: null, cleaning: false, pullRuns }
  if (context.json) return jsonLine(result)
  return [...removed.map((one) => `would remove ${words(one)}\n`), summary(result)].join('')
}

function unfinishedOf(view: View): Removed[] {
  const copy = halfMade(view)
  return copy === null ? [] : [{ kind: 'deployment', id: copy.id, reason: 'its deploy did not end' }]
}

function removalsOf({ deployments, leftovers, images }: GcPlan): Removed[] {
  return [
    ...deployments.map((one) => ({ kind: 'deployment' as const, ...one })),
    ...leftovers.map(({ name, reason }) => ({ kind: 'leftover' as const, id: name, reason })),
    ...images.map((one) => ({ kind: 'image' as const, ...one })),
  ]
}

function words({ kind, id, reason }: Removed): string {
  return `${kind} ${id}: ${reason}`
}

function summary({ removed, freedBytes, espFreedBytes, cleaning, pullRuns }: Collected): string {
  const lines = [
    pullRuns ? ['a pull runs: images stay until it is done'] : [],
    removed.length === 0 ? ['nothing to remove'] : [],
    freedBytes === null ? ['nothing was changed'] : [freed(freedBytes, espFreedBytes ?? 0)],
    cleaning ? ['the kernel is still giving space back; btrfs subvolume sync waits for it'] : [],
  ].flat()
  return `${lines.join('\n')}\n`
}

function freed(bytes: number, espBytes: number): string {
  return `freed ${bytes} bytes${espBytes === 0 ? '' : `, and ${espBytes} bytes on the boot loader's file system`}`
}
