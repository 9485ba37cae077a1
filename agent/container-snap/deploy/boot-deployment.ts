import { join } from 'node:path'
import type { BootDeployment, BootEntry, KnownDeployment } from '../boot/loader.ts'
import type { DeploymentRecord } from '../ledger.ts'
import { storeFromTopLevel } from '../store/inventory.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, listSnapshots, parseCopyName } from '../store/snapshots.ts'

/** What the loader is told of a copy; an image's own subvolume is number 0 and never gets an entry. */
export async function bootDeployment(view: View, snapshot: Snapshot): Promise<BootDeployment> {
  return {
    id: snapshot.id,
    imageId: snapshot.imageId,
    number: parseCopyName(snapshot.subvolume.name)?.number ?? 0,
    root: snapshot.path,
    subvolume: join(await storeFromTopLevel(view.paths), snapshot.subvolume.name),
    kernelArguments: recordOf(view, snapshot)?.kernelArguments ?? [],
  }
}

export function recordOf(view: View, snapshot: Snapshot | null): DeploymentRecord | null {
  const uuid = snapshot?.subvolume.uuid
  return view.ledger.deployments.find((record) => record.subvolumeUuid === uuid) ?? null
}

/** Whole deployments; the loader has no business with bare copies. */
export function stagedSnapshots(view: View): Snapshot[] {
  return listSnapshots(view).filter((snapshot) => (recordOf(view, snapshot)?.stagedAt ?? null) !== null)
}

export function withRecord(view: View, uuid: string, change: Partial<DeploymentRecord>): View {
  const deployments = view.ledger.deployments.map((record) =>
    record.subvolumeUuid === uuid ? { ...record, ...change } : record,
  )
  return { ...view, ledger: { ...view.ledger, deployments } }
}

/** An activation is known only once the entry has it: one that was only intended must not be made by a repair. */
export async function knownDeployments(
  view: View,
  entries: readonly BootEntry[],
): Promise<KnownDeployment[]> {
  const current = currentSnapshot(view)?.id
  const known = stagedSnapshots(view).map(async (snapshot): Promise<KnownDeployment> => {
    const record = recordOf(view, snapshot)
    const entry = entries.find((one) => one.deploymentId === snapshot.id && one.kind !== 'staged')
    return {
      ...(await bootDeployment(view, snapshot)),
      activation: entry?.activation ?? record?.activation ?? null,
      blessed: (record?.blessedAt ?? null) !== null,
      bad: (record?.bad ?? null) !== null,
      current: snapshot.id === current,
    }
  })
  return Promise.all(known)
}
