import { join } from 'node:path'
import type { Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import { mergeEtc, requireOneEtc } from '../etc/merge.ts'
import type { DeploymentRecord } from '../ledger.ts'
import { syncFileSystem } from '../store/btrfs.ts'
import { makeCopy } from '../store/copies.ts'
import { recordLedger } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { bootDeployment } from './boot-deployment.ts'
import { discardHalfMade } from './half-made.ts'
import { labelFiles } from './labels.ts'
import { placePersistent } from './persistent-places.ts'
import { requireSystemTree } from './system-tree.ts'

export type DeploymentPlan = {
  /** The image's own subvolume. */
  image: Snapshot
  /** Absolute paths of two /etc trees; null for a machine's first deployment, which has its image's /etc. */
  etc: { base: string; local: string } | null
  source: string | null
  /** What a plan wants on its kernel's line. */
  kernelArguments?: readonly string[]
  /** Writes the machine's own files into the new root, after the merge. */
  prepare?: (root: string) => Promise<void>
}

export type MadeDeployment = {
  record: DeploymentRecord
  snapshot: Snapshot
  conflicts: readonly string[]
  /** As it is with the deployment in it. */
  view: View
}

/**
 * A whole deployment, durable when it returns, that boots nothing differently. Its record, written last, is the mark
 * that it is whole: what a crash leaves without it is thrown away by the next deploy or repair. To be called with the
 * store's lock held.
 */
export async function makeDeployment(
  context: Context,
  loader: Loader,
  opened: View,
  plan: DeploymentPlan,
): Promise<MadeDeployment> {
  const { source, kernelArguments = [] } = plan
  requireTaken(loader, kernelArguments)
  const { view } = await discardHalfMade(context, loader, opened)
  await requireSystemTree(plan.image, 'deploy')
  await requireOneEtc(plan.image.path)
  const copy = await makeCopy(context, view, plan.image, 'deployment')
  const withCopy: View = {
    ...view,
    ledger: copy.ledger,
    inventory: { ...view.inventory, subvolumes: [...view.inventory.subvolumes, copy.snapshot.subvolume] },
  }
  try {
    const conflicts = await fill(context, loader, withCopy, { ...plan, copy: copy.snapshot })
    const record = { ...copy.record, stagedAt: new Date().toISOString(), source, kernelArguments }
    const deployments = [...withCopy.ledger.deployments, record]
    const ledger = { ...withCopy.ledger, creating: null, deployments }
    await recordLedger(context, ledger)
    await context.failpoint?.('deployment-recorded')
    return { record, snapshot: copy.snapshot, conflicts, view: { ...withCopy, ledger } }
  } catch (error) {
    // Best effort: what stays is thrown away by the next deploy, and the first error tells more.
    await discardHalfMade(context, loader, withCopy).catch(() => {})
    throw error
  }
}

/** There the line is written by the distribution's own programs, from its own files. */
function requireTaken({ kind }: Loader, kernelArguments: readonly string[]): void {
  if (kind !== 'tukit-grub2' || kernelArguments.length === 0) return
  throw new SnapError(
    'refused',
    `deploy with ${kernelArguments.join(' ')}: the loader tukit-grub2 takes kernel arguments from /etc/default/grub alone; write them there, or take them out of the Host's kernelArguments`,
  )
}

async function fill(
  context: Context,
  loader: Loader,
  view: View,
  plan: DeploymentPlan & { copy: Snapshot },
): Promise<readonly string[]> {
  const { copy, etc } = plan
  const merged = etc === null ? null : await mergeEtc({ ...etc, next: join(copy.path, 'etc') }, context)
  await context.failpoint?.('etc-merged')
  if (etc !== null) await placePersistent(context, copy.path)
  await labelFiles(context, copy.path)
  if (plan.prepare !== undefined) {
    // What it copies out of the root takes its labels along, and what it writes gets them then.
    await plan.prepare(copy.path)
    await labelFiles(context, copy.path)
  }
  await syncFileSystem(context, copy.path)
  await context.failpoint?.('deployment-synced')
  const { kernelArguments = [] } = plan
  await loader.stage({ ...(await bootDeployment(view, copy)), kernelArguments })
  await context.failpoint?.('entry-staged')
  return merged?.conflicts ?? []
}
