import { randomUUID } from 'node:crypto'
import type { Asker } from '../asker.ts'
import type { Move } from '../ledger.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
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
