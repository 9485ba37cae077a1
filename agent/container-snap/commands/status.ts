import type { SourcedArgument } from '../boot/kernel-line.ts'
import { kernelLine } from '../boot/kernel-line.ts'
import type { BootEntry, Loader } from '../boot/loader.ts'
import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { openLoader } from '../boot/open-loader.ts'
import { bootDeployment } from '../deploy/boot-deployment.ts'
import { lastMove } from '../deploy/move.ts'
import { activatedSnapshot, rollbackTarget } from '../deploy/targets.ts'
import { SnapError } from '../errors.ts'
import type { DeploymentRecord } from '../ledger.ts'
import type { MachineConfig } from '../machine.ts'
import { readMachine } from '../machine.ts'
import { imageVersion } from '../store/image-version.ts'
import { openView } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot, listSnapshots } from '../store/snapshots.ts'
import { plainStatus } from './plain-status.ts'
import type { Deployment, Status } from './status-view.ts'

export async function status(context: Context): Promise<string> {
  const view = await openView(context)
  const machine = await readMachine(context.paths)
  const loader = await openLoader(context, machine)
  const entries = await entriesToShow(context, loader)
  const current = currentSnapshot(view)
  const next = defaultSnapshot(view)
  const { activating } = view.ledger
  const activated = activatedSnapshot(view)
  // An image's own subvolume is a deployment only while it is booted or queued.
  const shown = listSnapshots(view).filter(
    ({ kind, id }) => kind === 'copy' || id === current?.id || id === next?.id,
  )
  const versions = await versionsOf(context, shown)
  const known = { view, entries, versions }
  const result: Status = {
    sysroot: context.paths.sysroot,
    loader: loader.kind,
    guard: await guardToShow(context, loader),
    current: deploymentOf(known, current),
    default: deploymentOf(known, next),
    rollback: deploymentOf(known, rollbackTarget(view)),
    activated:
      activating === null || activated === null
        ? null
        : { id: activated.id, activation: activating.activation, bootId: activating.bootId },
    moved: lastMove(view),
    deployments: shown.flatMap((snapshot) => deploymentOf(known, snapshot) ?? []),
    kernelLine: current === null ? null : await lineToShow(context, machine, { view, current }),
  }
  return context.json ? jsonLine(result) : plainStatus(result)
}

/** What runs must be told even where an image's arguments cannot be read. */
async function lineToShow(
  context: Context,
  { kernelArguments, loader }: MachineConfig,
  { view, current }: { view: View; current: Snapshot },
): Promise<readonly SourcedArgument[] | null> {
  // The distribution's own programs write that line, from files of theirs.
  if (loader.kind === 'tukit-grub2') return null
  try {
    return await kernelLine(await bootDeployment(view, current), kernelArguments)
  } catch (error) {
    if (!(error instanceof SnapError)) throw error
    context.warn(error.message)
    return null
  }
}

async function guardToShow(context: Context, loader: Loader): Promise<Status['guard']> {
  try {
    return await loader.guard()
  } catch (error) {
    if (!(error instanceof SnapError)) throw error
    context.warn(error.message)
    return null
  }
}

/** What runs must be told even where the ESP cannot be read. */
async function entriesToShow(context: Context, loader: Loader): Promise<readonly BootEntry[]> {
  try {
    return await loader.entries()
  } catch (error) {
    if (!(error instanceof SnapError)) throw error
    context.warn(error.message)
    return []
  }
}

async function versionsOf({ paths }: Context, shown: readonly Snapshot[]): Promise<Known['versions']> {
  const imageIds = [...new Set(shown.map(({ imageId }) => imageId))]
  const versions = imageIds.map(async (imageId) => [imageId, await imageVersion(paths, imageId)] as const)
  const found = new Map(await Promise.all(versions))
  return (imageId) => found.get(imageId) ?? ''
}

type Known = {
  readonly view: View
  readonly entries: readonly BootEntry[]
  /** By image id. */
  readonly versions: (imageId: string) => string
}

function deploymentOf({ view, entries, versions }: Known, snapshot: Snapshot | null): Deployment | null {
  if (snapshot === null) return null
  const { id, imageId, subvolume } = snapshot
  // A pristine subvolume is in no deployment record; it has its image's digests.
  const record = view.ledger.deployments.find((candidate) => candidate.subvolumeUuid === subvolume.uuid)
  const image = view.ledger.images.find((candidate) => candidate.imageId === imageId)
  const stored = view.inventory.stored.images.find((candidate) => candidate.id === imageId)
  return {
    id,
    imageId,
    digest: record?.digest ?? image?.digests.at(-1) ?? '',
    manifestDigest: record?.manifestDigest ?? image?.manifestDigest ?? '',
    version: versions(imageId),
    subvolumeUuid: subvolume.uuid,
    readonly: subvolume.readonly,
    createdAt: record?.createdAt ?? stored?.created ?? '',
    ...lifeOf(record),
    ...shownEntry(entries.filter((one) => one.deploymentId === id)),
  }
}

function lifeOf(
  record: DeploymentRecord | undefined,
): Pick<Deployment, 'pinned' | 'staged' | 'blessed' | 'bad' | 'activation' | 'kernelArguments'> {
  if (record === undefined) {
    const never = { pinned: false, staged: false, blessed: false, bad: null, activation: null }
    return { ...never, kernelArguments: [] }
  }
  const { pinned, stagedAt, blessedAt, bad, activation, kernelArguments } = record
  const life = { pinned, staged: stagedAt !== null, blessed: blessedAt !== null, bad, activation }
  return { ...life, kernelArguments }
}

/** The one the loader would boot, while a crash left two. */
function shownEntry(own: readonly BootEntry[]): Pick<Deployment, 'entry' | 'triesLeft'> {
  const [entry] = own.toSorted((a, b) => (b.activation ?? 0) - (a.activation ?? 0))
  return { entry: entry?.file ?? null, triesLeft: entry?.triesLeft ?? null }
}
