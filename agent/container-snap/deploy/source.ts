import { createHash } from 'node:crypto'
import type { Context } from '../context.ts'
import type { DeploymentRecord } from '../ledger.ts'
import type { Snapshot, View } from '../store/snapshots.ts'
import { currentSnapshot, listSnapshots } from '../store/snapshots.ts'
import { readTree } from '../trees/tree.ts'
import { recordOf } from './boot-deployment.ts'

/**
 * What a deployment is made of, as one word: the same word tells that to make it again would end in the same. Any
 * write to a file changes its identity, so a changed /etc is found without its contents being read.
 */
export async function sourceOf(
  context: Context,
  view: View,
  etc: { base: string; local: string },
): Promise<string> {
  const { signal } = context
  const hash = createHash('sha256')
  hash.update(JSON.stringify([currentSnapshot(view)?.subvolume.uuid ?? null, etc.base, etc.local]))
  for (const [path, entry] of await readTree(etc.local, { signal, attempt: 'read /etc' })) {
    const { kind, uid, gid, mode, identity } = entry
    hash.update(JSON.stringify([path, kind, uid, gid, mode, identity]))
  }
  return hash.digest('hex')
}

/** Ends the source of a deployment whose base was named by a person, and that nobody else can merge again. */
export const givenBase = ' by a given base'

/** A deployment of the image, of the same source, that nobody has used yet. */
export function sameDeployment(
  view: View,
  image: Snapshot,
  { source, kernelArguments }: Pick<DeploymentRecord, 'source' | 'kernelArguments'>,
): DeploymentRecord | null {
  const found = listSnapshots(view).flatMap((snapshot) => {
    const record = recordOf(view, snapshot)
    return record !== null && record.imageId === image.imageId && snapshot.kind === 'copy' ? [record] : []
  })
  return (
    found.findLast(
      ({ stagedAt, activation, bad, ...of }) =>
        stagedAt !== null &&
        activation === null &&
        bad === null &&
        of.source === source &&
        of.kernelArguments.join(' ') === kernelArguments.join(' '),
    ) ?? null
  )
}
