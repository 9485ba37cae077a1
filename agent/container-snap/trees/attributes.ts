import { stream } from '../exec.ts'
import type { ReadOptions } from './tree.ts'

/**
 * Labels and signatures that are made on the machine itself: they differ from the image's on every file that nobody
 * has touched.
 */
const ownOfMachine = /^security\.(selinux|ima|evm)$/

/**
 * Extended attributes, POSIX access lists and capabilities of all entries that have any, by path. Node cannot read them, and GNU tar, which `load`
 * needs anyway, writes them into its headers; a tar that cannot fails, so a machine never merges without seeing them.
 */
export async function readAttributes(root: string, options: ReadOptions): Promise<Map<string, string>> {
  const command = [
    'tar',
    '--create',
    '--file=-',
    '--format=posix',
    '--xattrs',
    '--xattrs-include=*',
    '--hard-dereference',
    `--directory=${root}`,
    '.',
  ] as const
  // 1: a file changed, shrank or went away while it was read.
  const tarOptions = { ...options, alsoFine: [1] }
  return stream(command, tarOptions, async (chunks) => {
    const found = new Map<string, string>()
    for await (const { path, attributes } of members(chunks)) found.set(path, attributes)
    return found
  })
}

type Member = { path: string; attributes: string }

const blockBytes = 512

/** Only members that have attributes; bodies are passed over. */
async function* members(chunks: AsyncIterable<Buffer>): AsyncGenerator<Member> {
  const reader = readerOf(chunks)
  let extended: ReadonlyMap<string, string> = new Map()
  for (;;) {
    const header = await reader.take(blockBytes)
    if (header === null || header[0] === 0) break
    const size = sizeIn(header)
    const paddedBytes = Math.ceil(size / blockBytes) * blockBytes
    if (header.toString('latin1', 156, 157) === 'x') {
      const body = await reader.take(paddedBytes)
      extended = recordsIn(body?.subarray(0, size) ?? Buffer.alloc(0))
      continue
    }
    // A body of 8 GiB or more has its size among the records.
    const bodyBytes = Math.ceil(Number(extended.get('size') ?? size) / blockBytes) * blockBytes
    await reader.pass(bodyBytes)
    const attributes = attributesIn(extended)
    const path = (extended.get('path') ?? nameIn(header)).replace(/^\.\//, '').replace(/\/$/, '')
    extended = new Map()
    if (attributes !== '') yield { path, attributes }
  }
  await reader.drain()
}

function text(header: Buffer, start: number, end: number): string {
  const field = header.toString('latin1', start, end)
  const stop = field.indexOf('\0')
  return stop === -1 ? field : field.slice(0, stop)
}

function nameIn(header: Buffer): string {
  const prefix = text(header, 345, 500)
  return `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`
}

function sizeIn(header: Buffer): number {
  return Number.parseInt(text(header, 124, 136).trim(), 8) || 0
}

/** pax: `LENGTH KEY=VALUE\n`, where the length counts all of it and the value may hold any byte. */
function recordsIn(body: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at)
    const length = Number(body.toString('latin1', at, space))
    if (space === -1 || !Number.isSafeInteger(length) || length <= 0) break
    const record = body.toString('latin1', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

const attributeKey = 'SCHILY.xattr.'

function attributesIn(records: ReadonlyMap<string, string>): string {
  const found = [...records].flatMap(([key, value]) => {
    const name = key.slice(attributeKey.length)
    return key.startsWith(attributeKey) && !ownOfMachine.test(name) ? [`${name}=${value}`] : []
  })
  return found.length === 0 ? '' : JSON.stringify(found.toSorted())
}

type Reader = {
  /** Null at the end of the input. */
  take: (bytes: number) => Promise<Buffer | null>
  pass: (bytes: number) => Promise<void>
  drain: () => Promise<void>
}

function readerOf(chunks: AsyncIterable<Buffer>): Reader {
  const source = chunks[Symbol.asyncIterator]()
  let held = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const { done, value } = await source.next()
    if (done === true) return false
    held = held.length === 0 ? Buffer.from(value) : Buffer.concat([held, value])
    return true
  }
  return {
    take: async (bytes) => {
      while (held.length < bytes) if (!(await more())) return null
      const taken = held.subarray(0, bytes)
      held = held.subarray(bytes)
      return taken
    },
    pass: async (bytes) => {
      let left = bytes
      while (left > held.length) {
        left -= held.length
        held = Buffer.alloc(0)
        if (!(await more())) return
      }
      held = held.subarray(left)
    },
    drain: async () => {
      do held = Buffer.alloc(0)
      while (await more())
    },
  }
}
