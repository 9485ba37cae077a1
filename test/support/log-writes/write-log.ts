import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

/** One bio, in the order in which dm-log-writes has it on its log device; sizes and places in bytes. */
export type Entry = {
  kind: 'write' | 'discard' | 'flush' | 'mark'
  /** Durable when it was logged, whatever flush comes later. */
  fua: boolean
  offset: number
  length: number
  /** Where the log has what was written. */
  dataOffset: number
  /** Of a mark. */
  text: string
}

const magic = 0x6a_73_66_77_73_68_72n
const version = 1n
const flag = { flush: 1, fua: 2, discard: 4, mark: 8 } as const
const headerBytes = 32

/**
 * The format of the kernel's dm-log-writes: a super block, then for each bio a sector that describes it and what
 * it wrote. A flush stands after all that it made durable: a write that had not completed by then comes after it.
 */
export async function readLog(path: string): Promise<readonly Entry[]> {
  const file = await open(path)
  try {
    const head = await readAt(file, 0, 512)
    if (head.readBigUInt64LE(0) !== magic || head.readBigUInt64LE(8) !== version)
      throw new Error(`${path} is no log of dm-log-writes`)
    const count = Number(head.readBigUInt64LE(16))
    const sectorBytes = head.readUInt32LE(24)
    const entries: Entry[] = []
    for (let position = sectorBytes; entries.length < count;) {
      const entry = decode(await readAt(file, position, sectorBytes), position, sectorBytes)
      entries.push(entry)
      position = entry.dataOffset + (entry.kind === 'discard' ? 0 : entry.length)
    }
    return entries
  } finally {
    await file.close()
  }
}

function decode(header: Buffer, position: number, sectorBytes: number): Entry {
  const [sector, sectors, flags, dataLength] = [0, 8, 16, 24].map((at) => Number(header.readBigUInt64LE(at)))
  if (sector === undefined || sectors === undefined || flags === undefined) throw new Error('a short header')
  const has = (bit: number): boolean => (flags & bit) !== 0
  const kind = has(flag.mark) ? 'mark' : has(flag.discard) ? 'discard' : has(flag.flush) ? 'flush' : 'write'
  // Device mapper sends the flush of a write by itself before it.
  if (kind === 'flush' && sectors > 0) throw new Error(`a flush that writes, at ${position} of the log`)
  return {
    kind,
    fua: has(flag.fua),
    offset: sector * sectorBytes,
    length: sectors * sectorBytes,
    dataOffset: position + sectorBytes,
    text: kind === 'mark' ? header.toString('utf8', headerBytes, headerBytes + (dataLength ?? 0)) : '',
  }
}

export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  if (bytesRead !== length) throw new Error(`the log ends at ${position + bytesRead}`)
  return buffer
}
