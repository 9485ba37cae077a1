import { readFile } from 'node:fs/promises'
import type { EspDisk } from '../boot/esp-disk.ts'
import { openEspDisk } from '../boot/esp-disk.ts'

/** A change on the ESP, with the content that its file had or gets. */
export type Change =
  | { kind: 'write'; path: string; content: string }
  | { kind: 'rename'; from: string; to: string; content: string }
  | { kind: 'remove'; path: string }
  | { kind: 'sync' }

export type RecordedDisk = EspDisk & { changes: Change[] }

/** Does everything for real but wait for the disk, and writes down what it did. */
export function openRecordedDisk(): RecordedDisk {
  const real = openEspDisk({ signal: new AbortController().signal })
  const changes: Change[] = []
  return {
    changes,
    write: async (path, content) => {
      await real.write(path, content)
      changes.push({ kind: 'write', path, content })
    },
    copy: async (source, path, sha256) => {
      await real.copy(source, path, sha256)
      changes.push({ kind: 'write', path, content: await readFile(path, 'utf8') })
    },
    rename: async (from, to) => {
      changes.push({ kind: 'rename', from, to, content: await readFile(from, 'utf8') })
      await real.rename(from, to)
    },
    remove: async (path) => {
      changes.push({ kind: 'remove', path })
      await real.remove(path)
    },
    sync: async () => {
      changes.push({ kind: 'sync' })
    },
  }
}

/** Path to content of every file. */
export type Content = Readonly<Record<string, string>>

/**
 * What a power cut may leave. All up to the last sync is there. Of every change after it any part may be, in any
 * combination: FAT writes its folders back when it likes. A rename may have made both names or one, never none:
 * the new name is written where the old one is not taken away yet. A file that was being written may be missing,
 * empty, half, or whole.
 */
export function cutStates(start: Content, changes: readonly Change[]): Content[] {
  const states = new Map<string, Content>()
  const keep = (content: Content): void => {
    const paths = Object.keys(content).toSorted()
    states.set(JSON.stringify(paths.map((path) => [path, content[path]])), content)
  }
  let synced: Content = start
  let open: Change[] = []
  keep(start)
  for (const change of changes) {
    if (change.kind === 'sync') {
      synced = open.reduce((content, one) => outcomes(content, one).at(-1) ?? content, synced)
      open = []
    } else {
      open.push(change)
      for (const content of combinations(synced, open)) keep(content)
    }
  }
  keep(open.reduce((content, one) => outcomes(content, one).at(-1) ?? content, synced))
  return [...states.values()]
}

function combinations(content: Content, changes: readonly Change[]): Content[] {
  const [first, ...rest] = changes
  if (first === undefined) return [content]
  return outcomes(content, first).flatMap((one) => combinations(one, rest))
}

/** From not done to done. */
function outcomes(content: Content, change: Change): Content[] {
  switch (change.kind) {
    case 'sync':
      return [content]
    case 'write': {
      const torn = [0, Math.floor(change.content.length / 2), change.content.length]
      return [content, ...torn.map((end) => ({ ...content, [change.path]: change.content.slice(0, end) }))]
    }
    case 'rename': {
      const both = { ...content, [change.to]: change.content }
      return [content, both, without(both, change.from)]
    }
    case 'remove':
      return [content, without(content, change.path)]
  }
}

function without(content: Content, path: string): Content {
  return Object.fromEntries(Object.entries(content).filter(([name]) => name !== path))
}
