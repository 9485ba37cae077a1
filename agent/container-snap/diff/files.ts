import { shownName } from '../trees/names.ts'
import { asSnapError } from '../trees/read.ts'
import type { Entry, ReadOptions } from '../trees/tree.ts'
import { addDigests, readTree } from '../trees/tree.ts'

export type FileChange = {
  /** From the root of the system, fit to be shown. */
  path: string
  kind: 'added' | 'removed' | 'changed'
  /** What is different: `mode 0644 → 0755`, `content`; empty unless `changed`. */
  what: readonly string[]
}

/** Not the image's at run time: other file systems are mounted there. */
const mountPoints: ReadonlySet<string> = new Set(['var', 'run', 'proc', 'sys', 'dev'])

export async function diffFiles(from: string, to: string, options: ReadOptions): Promise<FileChange[]> {
  const reading = { ...options, trustIdentity: true, omit: (path: string) => mountPoints.has(path) }
  return asSnapError(options.attempt, async () => {
    const before = await readTree(from, reading)
    const after = await readTree(to, reading)
    await addDigests(
      [
        { root: from, tree: before },
        { root: to, tree: after },
      ],
      reading,
    )
    const paths = [...new Set([...before.keys(), ...after.keys()])].toSorted()
    return paths.flatMap((path) => changeOf(path, before.get(path), after.get(path)))
  })
}

function changeOf(bytes: string, before: Entry | undefined, after: Entry | undefined): FileChange[] {
  const path = `/${shownName(bytes)}`
  if (before === undefined) return [{ path, kind: 'added', what: [] }]
  if (after === undefined) return [{ path, kind: 'removed', what: [] }]
  const what = differences(before, after)
  return what.length === 0 ? [] : [{ path, kind: 'changed', what }]
}

function differences(before: Entry, after: Entry): string[] {
  const owner = ({ uid, gid }: Entry): string => `${uid}:${gid}`
  const mode = (entry: Entry): string => `0${entry.mode.toString(8)}`
  const found = [`owner ${owner(before)} → ${owner(after)}`].filter(() => owner(before) !== owner(after))
  if (before.kind !== after.kind) return [`${before.kind} → ${after.kind}`, ...found]
  if (before.mode !== after.mode) found.push(`mode ${mode(before)} → ${mode(after)}`)
  if (before.kind === 'link' && before.content !== after.content)
    found.push(`link to ${shownName(before.content)} → ${shownName(after.content)}`)
  if (before.kind !== 'file') return found
  if (before.sizeBytes !== after.sizeBytes)
    found.push(`content, ${before.sizeBytes} → ${after.sizeBytes} bytes`)
  else if (before.content !== after.content) found.push('content')
  return found
}
