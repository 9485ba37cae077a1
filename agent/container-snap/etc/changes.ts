import { shownName } from '../trees/names.ts'
import { readComparable } from '../trees/read.ts'
import { isSame } from '../trees/tree.ts'

export type LocalChange = { path: string; kind: 'added' | 'changed' | 'removed' }

/** What a host did to its /etc, the files included that are always its own; sorted, fit to be shown. */
export async function listLocalChanges(
  base: string,
  local: string,
  { signal }: { signal: AbortSignal },
): Promise<LocalChange[]> {
  const trees = await readComparable({ base, local }, { signal, attempt: 'compare /etc with its image' })
  const paths = [...new Set([...trees.base.keys(), ...trees.local.keys()])].toSorted()
  return paths.flatMap((path): LocalChange[] => {
    const [before, after] = [trees.base.get(path), trees.local.get(path)]
    if (path === '.updated' || after?.kind === 'special' || isSame(before, after)) return []
    const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
    return [{ path: shownName(path), kind }]
  })
}
