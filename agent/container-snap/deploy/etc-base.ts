import { join } from 'node:path'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, findSnapshot, listSnapshots } from '../store/snapshots.ts'

/** /etc as the image of what runs has it. */
export function etcBaseOf(view: View, current: Snapshot): string {
  return join(findSnapshot(view, current.imageId).path, 'etc')
}

/** The two sides of a merge that are the running system's; null where it is no deployment, or its image is gone. */
export function runningEtc(view: View): { base: string; local: string } | null {
  const current = currentSnapshot(view)
  const image = listSnapshots(view).find(({ kind, id }) => kind === 'image' && id === current?.imageId)
  if (current === null || image === undefined) return null
  return { base: etcBaseOf(view, current), local: join(view.paths.sysroot, 'etc') }
}
