import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, truncate } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Bounds of what is kept; the oldest segment goes first. */
export type SegmentLimits = { readonly segmentMaxBytes: number; readonly segmentsMax: number }

/** Lines in files of a folder, each named by the number of its first line. */
export type Segments = {
  /** On disk when it resolves. */
  append(number: number, line: string): Promise<void>
  /** Oldest first. */
  lines(): AsyncGenerator<string>
  close(): Promise<void>
}

const NAME = /^(\d{12})\.jsonl$/

/** What a power cut left of a last line was never answered to anybody, and goes. */
export async function openSegments(dir: string, limits: SegmentLimits): Promise<Segments> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await dropTornLine(dir)
  let current: { readonly handle: FileHandle; bytes: number } | null = null
  const newest = (await names(dir)).at(-1)
  if (newest !== undefined) {
    const handle = await open(join(dir, newest), 'a', 0o600)
    current = { handle, bytes: (await handle.stat()).size }
  }

  async function begin(number: number): Promise<{ readonly handle: FileHandle; bytes: number }> {
    await current?.handle.close()
    current = null
    // It is there, and empty, when an earlier try got no further.
    const handle = await open(join(dir, `${String(number).padStart(12, '0')}.jsonl`), 'a', 0o600)
    await syncFolder(dir)
    const kept = await names(dir)
    for (const name of kept.slice(0, Math.max(0, kept.length - limits.segmentsMax))) await rm(join(dir, name))
    return { handle, bytes: 0 }
  }

  return {
    async append(number, line) {
      const bytes = Buffer.from(`${line}\n`, 'utf8')
      if (current === null || current.bytes + bytes.length > limits.segmentMaxBytes)
        current = await begin(number)
      const { handle, bytes: before } = current
      try {
        await handle.appendFile(bytes)
        await handle.datasync()
      } catch (error) {
        // Half a line, or one that may not last, must not come before the next one.
        await handle.truncate(before)
        throw error
      }
      current.bytes += bytes.length
    },
    async *lines() {
      for (const name of await names(dir)) yield* linesOf(join(dir, name))
    },
    async close() {
      await current?.handle.close()
      current = null
    },
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const stream = createReadStream(path, 'utf8')
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) yield line
  } finally {
    stream.destroy()
  }
}

async function names(dir: string): Promise<readonly string[]> {
  return (await readdir(dir)).filter((name) => NAME.test(name)).toSorted()
}

async function dropTornLine(dir: string): Promise<void> {
  const newest = (await names(dir)).at(-1)
  if (newest === undefined) return
  const path = join(dir, newest)
  const file = await open(path, 'r')
  try {
    const bytes = await file.readFile()
    const whole = bytes.lastIndexOf(0x0a) + 1
    if (whole < bytes.length) await truncate(path, whole)
    if (whole === 0) await rm(path)
  } finally {
    await file.close()
  }
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
