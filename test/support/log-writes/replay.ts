import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { execa } from 'execa'
import { chooseSurvivors } from './cuts.ts'
import type { Chance, Piece } from './cuts.ts'
import { readAt } from './write-log.ts'
import type { Entry } from './write-log.ts'

export type Replay = {
  /** A new file with what a power cut after the first `count` entries may leave; counts only go up. */
  cut: (count: number, name: string, chance: Chance) => Promise<string>
  /** Every entry, in the replay's own file; no cut comes after it. */
  finish: () => Promise<void>
}

export type ReplayOptions = {
  entries: readonly Entry[]
  /** The log device. */
  log: string
  /** The disk as it was when the log began; what was flushed is added to it as the replay goes on. */
  durable: string
  copy: (name: string) => Promise<string>
}

export async function openReplay({ entries, log, durable, copy }: ReplayOptions): Promise<Replay> {
  const source = await open(log)
  let flushed = 0
  const flushTo = async (count: number): Promise<void> => {
    await write(source, durable, entries.slice(flushed, count).flatMap(whole))
    flushed = count
  }
  return {
    cut: async (count, name, chance) => {
      const flush = entries.findLastIndex(({ kind }, index) => kind === 'flush' && index < count)
      if (flush >= flushed) await flushTo(flush + 1)
      const target = await copy(name)
      await write(source, target, chooseSurvivors(entries.slice(flushed, count), chance))
      return target
    },
    finish: async () => {
      await flushTo(entries.length)
      await source.close()
    },
  }
}

function whole(entry: Entry): Piece[] {
  const writes = entry.kind === 'write' || entry.kind === 'discard'
  return writes ? [{ entry, from: 0, length: entry.length }] : []
}

async function write(source: FileHandle, target: string, pieces: readonly Piece[]): Promise<void> {
  const file = await open(target, 'r+')
  try {
    for (const { entry, from, length } of pieces) {
      if (entry.kind === 'discard') await discard(target, entry.offset + from, length)
      else
        await file.write(
          await readAt(source, entry.dataOffset + from, length),
          0,
          length,
          entry.offset + from,
        )
    }
  } finally {
    await file.close()
  }
}

/** What is discarded reads as zeros, as on the guest's own disk. */
async function discard(target: string, offset: number, length: number): Promise<void> {
  await execa('fallocate', ['--punch-hole', '--offset', `${offset}`, '--length', `${length}`, target])
}
