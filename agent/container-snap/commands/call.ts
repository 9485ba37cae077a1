import type { Context } from '../context.ts'
import { SnapError } from '../errors.ts'
import type { Command } from '../exec.ts'
import { withInside } from '../inside.ts'
import { openView } from '../store/session.ts'
import { currentSnapshot, findSnapshot } from '../store/snapshots.ts'

/** The command's own exit status is ours. Without the store's lock: it may take as long as a person at a shell. */
export async function call(
  context: Context,
  id: string,
  [program, ...args]: readonly string[],
): Promise<{ status: number }> {
  const view = await openView(context)
  const snapshot = findSnapshot(view, id)
  const refused = (found: string): SnapError => new SnapError('refused', `call in ${id}: ${found}`)
  if (program === undefined) throw new SnapError('usage', 'call needs a command after the id')
  if (snapshot.kind === 'image') {
    throw refused("it is an image's own subvolume, which nothing may change; create-snapshot makes a copy")
  }
  if (snapshot.id === currentSnapshot(view)?.id) {
    throw refused('it is what runs; run the command as it is, or in a copy')
  }
  const command: Command = [program, ...args]
  const status = await withInside(context, { root: snapshot.path }, async (inside) =>
    inside.passThrough(command, `call in ${id}`),
  )
  return { status }
}
