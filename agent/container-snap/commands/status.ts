import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { openView } from '../store/session.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, defaultSnapshot, listSnapshots } from '../store/snapshots.ts'

export type Deployment = {
  id: string
  imageId: string
  digest: string
  manifestDigest: string
  subvolumeUuid: string
  readonly: boolean
  createdAt: string
}

export type Status = {
  sysroot: string
  current: Deployment | null
  default: Deployment | null
  deployments: readonly Deployment[]
}

export async function status(context: Context): Promise<string> {
  const view = await openView(context)
  const current = currentSnapshot(view)
  const next = defaultSnapshot(view)
  // An image's own subvolume is a deployment only while it is booted or queued.
  const shown = listSnapshots(view).filter(
    ({ kind, id }) => kind === 'copy' || id === current?.id || id === next?.id,
  )
  const result: Status = {
    sysroot: context.paths.sysroot,
    current: deploymentOf(view, current),
    default: deploymentOf(view, next),
    deployments: shown.flatMap((snapshot) => deploymentOf(view, snapshot) ?? []),
  }
  return context.json ? jsonLine(result) : plainStatus(result)
}

function deploymentOf(view: View, snapshot: Snapshot | null): Deployment | null {
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
    subvolumeUuid: subvolume.uuid,
    readonly: subvolume.readonly,
    createdAt: record?.createdAt ?? stored?.created ?? '',
  }
}

function plainStatus(status: Status): string {
  const pointers = [
    `sysroot  ${status.sysroot}`,
    `current  ${status.current?.id ?? '(no deployment)'}`,
    `default  ${status.default?.id ?? '(no deployment)'}`,
  ]
  const rows = status.deployments.map((deployment) => {
    const access = deployment.readonly ? 'ro' : 'rw'
    return `${deployment.id}  ${access}  ${deployment.createdAt}  ${deployment.digest}`
  })
  return `${[...pointers, '', ...rows].join('\n').trimEnd()}\n`
}
