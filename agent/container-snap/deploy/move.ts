import { randomUUID } from 'node:crypto'
import type { Asker } from '../asker.ts'
import type { Move } from '../ledger.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { listSnapshots } from '../store/snapshots.ts'
import { recordOf } from './boot-deployment.ts'

/**
 * Kept with the intent of the activation that follows: the agent must not take back what a person wanted, also where
 * the power went in between. A move of the agent's own ends that of the person before.
 */
export function withMove(
  view: View,
  to: Snapshot,
  { asker, command }: { asker: Asker; command: string },
): View {
  return { ...view, ledger: { ...view.ledger, moved: moveOf(view, to, { asker, command }) } }
}

function moveOf(
  view: View,
  to: Snapshot,
  { asker, command }: { asker: Asker; command: string },
): Move | null {
  if (asker.by === 'agent') return null
  const image = view.ledger.images.find(({ imageId }) => imageId === to.imageId)
  const digest = recordOf(view, to)?.digest ?? image?.digests.at(-1) ?? ''
  return { id: randomUUID(), to: to.id, digest, user: asker.user, command, at: new Date().toISOString() }
}

/**
 * What a person made boot, unless something else was activated since: programs from before moves were kept leave
 * them in the ledger as they activate something, and every one of them writes what was chosen. Where that is gone,
 * nothing says otherwise.
 */
export function lastMove(view: View): Move | null {
  const { moved, selected } = view.ledger
  if (moved === null || selected === null) return moved
  const to = listSnapshots(view).find(({ id }) => id === moved.to)
  const isTo = to?.subvolume.uuid === selected.subvolumeUuid && to.imageId === selected.imageId
  return isTo ? moved : null
}
