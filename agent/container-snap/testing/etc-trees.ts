import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { EtcMerge, EtcRoots } from '../etc/merge.ts'
import { mergeEtc } from '../etc/merge.ts'
import { readAttributes } from '../trees/attributes.ts'
import { bytesOf } from '../trees/names.ts'
import { readTree } from '../trees/tree.ts'

type Owner = { uid?: number; gid?: number; mode?: number; attributes?: Readonly<Record<string, string>> }
export type Node =
  | string
  | ({ file: string } & Owner)
  | ({ directory: true } & Owner)
  | { link: string }
  | { special: 'fifo' | 'socket' }

/** By path, in the form of names.ts; folders above need no mention. A string is a file with mode 0644. */
export type Nodes = Readonly<Record<string, Node>>

const reading = { signal: new AbortController().signal, attempt: 'look at a test tree' }

export async function makeTree(root: string, nodes: Nodes): Promise<void> {
  mkdirSync(root, { recursive: true })
  for (const path of Object.keys(nodes).toSorted()) {
    const node = nodes[path]
    if (node === undefined) continue
    const bytes = bytesOf(root, path)
    const parent = dirname(path) === '.' ? '' : dirname(path)
    mkdirSync(bytesOf(root, parent), { recursive: true })
    if (typeof node === 'string') writeFileSync(bytes, Buffer.from(node, 'latin1'), { mode: 0o644 })
    else if ('link' in node) symlinkSync(node.link, bytes)
    else if ('special' in node) await makeSpecial(bytes.toString(), node.special)
    else await makeOwned(root, path, node)
  }
}

async function makeOwned(
  root: string,
  path: string,
  node: Owner & ({ file: string } | { directory: true }),
): Promise<void> {
  const bytes = bytesOf(root, path)
  if ('directory' in node) mkdirSync(bytes)
  else writeFileSync(bytes, Buffer.from(node.file, 'latin1'))
  lchownSync(bytes, node.uid ?? 0, node.gid ?? 0)
  chmodSync(bytes, node.mode ?? ('directory' in node ? 0o755 : 0o644))
  if (node.attributes !== undefined) await setAttributes(root, path, node.attributes)
}

async function makeSpecial(path: string, special: 'fifo' | 'socket'): Promise<void> {
  if (special === 'fifo') {
    await execa('mkfifo', [path])
    return
  }
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.listening`, resolve))
  // Closing takes the name it was made under away, so it gets another first.
  const { renameSync } = await import('node:fs')
  renameSync(`${path}.listening`, path)
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

/** As pax records of an archive that tar unpacks: there is no other tool for it on every machine. */
async function setAttributes(
  root: string,
  path: string,
  attributes: Readonly<Record<string, string>>,
): Promise<void> {
  const bytes = bytesOf(root, path)
  const { uid, gid, mode, size } = lstatSync(bytes)
  const isFolder = lstatSync(bytes).isDirectory()
  const content = isFolder ? Buffer.alloc(0) : readFileSync(bytes)
  const records = Buffer.concat(
    Object.entries(attributes).map(([name, value]) => record(`SCHILY.xattr.${name}=${value}`)),
  )
  const archive = Buffer.concat([
    header('pax', { type: 'x', size: records.length, uid, gid, mode: 0o644 }),
    padded(records),
    header(path, { type: isFolder ? '5' : '0', size: isFolder ? 0 : size, uid, gid, mode: mode & 0o7777 }),
    padded(content),
    Buffer.alloc(1024),
  ])
  const options = ['--numeric-owner', '--same-permissions', '--xattrs', '--xattrs-include=*']
  await execa('tar', ['--extract', ...options, `--directory=${root}`], { input: archive })
}

function record(text: string): Buffer {
  const body = Buffer.from(` ${text}\n`, 'latin1')
  let length = body.length
  while (length !== body.length + String(length).length) length = body.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), body])
}

type Header = { type: string; size: number; uid: number; gid: number; mode: number }

function header(name: string, { type, size, uid, gid, mode }: Header): Buffer {
  const block = Buffer.alloc(512)
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`
  block.write(name, 0, 'latin1')
  block.write(octal(mode, 8) + octal(uid, 8) + octal(gid, 8) + octal(size, 12) + octal(0, 12), 100)
  block.write(`        ${type}`, 148)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** One line an entry: `file 644 0:0 content`. */
export async function lookAt(root: string): Promise<Record<string, string>> {
  const tree = await readTree(root, reading)
  const attributes = await readAttributes(root, reading)
  const lines = [...tree].map(([path, { kind, mode, uid, gid }]) => {
    const bytes = bytesOf(root, path)
    const content =
      kind === 'file' ? readFileSync(bytes, 'latin1') : kind === 'link' ? readlinkSync(bytes) : ''
    const extra = attributes.get(path) ?? ''
    return [path, `${kind} ${mode.toString(8)} ${uid}:${gid} ${content}${extra}`.trimEnd()] as const
  })
  return Object.fromEntries(lines)
}

export type Etc = EtcRoots & {
  merge: () => Promise<EtcMerge>
  /** The new /etc as it is now. */
  look: () => Promise<Record<string, string>>
}

export type EtcBench = {
  open: (base: Nodes, local: Nodes, next: Nodes, rest?: Nodes) => Promise<Etc>
  /** The new /etc after the merge. */
  merged: (base: Nodes, local: Nodes, next: Nodes) => Promise<Record<string, string>>
  close: () => Promise<void>
}

/** Three /etc trees in folders of their own, the new one below a root as in a work copy. */
export function etcBench(): EtcBench {
  const folders: string[] = []
  const open: EtcBench['open'] = async (base, local, next, rest = {}) => {
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-etc-'))
    folders.push(folder)
    const roots = { base: join(folder, 'base'), local: join(folder, 'local'), next: join(folder, 'root/etc') }
    await makeTree(roots.base, base)
    await makeTree(roots.local, local)
    await makeTree(roots.next, next)
    await makeTree(join(folder, 'root'), rest)
    const merge = (): Promise<EtcMerge> => mergeEtc(roots, { signal: reading.signal })
    return { ...roots, merge, look: () => lookAt(roots.next) }
  }
  return {
    open,
    merged: async (base, local, next) => {
      const etc = await open(base, local, next)
      await etc.merge()
      return etc.look()
    },
    close: async () => {
      for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
    },
  }
}
