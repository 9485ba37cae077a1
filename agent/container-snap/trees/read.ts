import { SnapError, saysNoSpace } from '../errors.ts'
import { readAttributes } from './attributes.ts'
import type { ReadOptions, Tree } from './tree.ts'
import { addDigests, readTree } from './tree.ts'

/** Trees with all that `isSame` looks at. */
export async function readComparable<Roots extends Readonly<Record<string, string>>>(
  roots: Roots,
  options: ReadOptions,
): Promise<{ [Name in keyof Roots]: Tree }> {
  return asSnapError(options.attempt, async () => {
    const rooted: { name: string; root: string; tree: Tree }[] = []
    for (const [name, root] of Object.entries(roots)) {
      const tree = await readTree(root, options)
      for (const [path, attributes] of await readAttributes(root, options)) {
        const entry = tree.get(path)
        if (entry !== undefined) entry.attributes = attributes
      }
      rooted.push({ name, root, tree })
    }
    await addDigests(rooted, options)
    const trees = Object.fromEntries(rooted.map(({ name, tree }) => [name, tree]))
    return trees as { [Name in keyof Roots]: Tree }
  })
}

export async function asSnapError<T>(attempt: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof SnapError) throw error
    const { message } = error as Error
    const code = saysNoSpace(message) ? 'no-space' : 'storage-failed'
    throw new SnapError(code, `${attempt}: ${message}`, { cause: error })
  }
}
