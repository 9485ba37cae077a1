import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Files } from '../../../agent/container-snap/testing/registry.ts'

const sharedFiles = 120
const ownFiles = 24

/** Incompressible and different for every name. */
function noise(name: string, sizeBytes: number): Buffer {
  const blocks: Buffer[] = []
  for (let index = 0; index * 32 < sizeBytes; index += 1) {
    blocks.push(createHash('sha256').update(`${name} ${index}`).digest())
  }
  return Buffer.concat(blocks).subarray(0, sizeBytes)
}

/** The layer that all versions have in common: most of a system. */
export function sharedLayer(): Files {
  const files: Record<string, string | Buffer> = { 'var/': '', 'etc/hosts': '127.0.0.1 localhost\n' }
  for (let index = 0; index < sharedFiles; index += 1) {
    files[`usr/lib/shared/file-${index}`] = noise(`shared ${index}`, 16_384)
  }
  return files
}

/** What makes a version: its kernel, its initrd, its programs. */
export function ownLayer(version: string): Files {
  const files: Record<string, string | Buffer> = {
    'etc/os-release': `ID=tiny\nVERSION_ID=${version}\nPRETTY_NAME="Tiny ${version}"\n`,
    'usr/lib/os-release': `ID=tiny\nVERSION_ID=${version}\n`,
    [`usr/lib/modules/6.12-${version}/vmlinuz`]: noise(`kernel ${version}`, 131_072),
    [`usr/lib/modules/6.12-${version}/initrd`]: noise(`initrd ${version}`, 131_072),
  }
  for (let index = 0; index < ownFiles; index += 1) {
    files[`usr/lib/own/file-${index}`] = noise(`${version} ${index}`, 8_192)
  }
  return files
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Path to hash of all that a version has. */
export function manifestOf(version: string): ReadonlyMap<string, string> {
  const files = Object.entries({ ...sharedLayer(), ...ownLayer(version) })
  return new Map(
    files.filter(([path]) => !path.endsWith('/')).map(([path, content]) => [path, sha256(content)]),
  )
}

/** Files that the machine adds to /etc by itself. */
const machineFiles = new Set(['etc/machine-id', 'etc/hostname', 'etc/resolv.conf', 'etc/fstab'])

/**
 * The version that a root is, file by file.
 * @throws Error naming the first file that is missing, too much or of another version.
 */
export async function versionOf(
  root: string,
  manifests: ReadonlyMap<string, ReadonlyMap<string, string>>,
): Promise<string> {
  const release = await readFile(join(root, 'usr/lib/os-release'), 'utf8')
  const version = /^VERSION_ID=(.*)$/m.exec(release)?.[1] ?? ''
  const wanted = manifests.get(version)
  if (wanted === undefined) throw new Error(`${root}: os-release says version '${version}'`)
  const found = new Map<string, string>()
  for (const folder of ['etc', 'usr']) {
    for (const path of await readdir(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!path.isFile()) continue
      const full = join(path.parentPath, path.name)
      found.set(full.slice(root.length + 1), sha256(await readFile(full)))
    }
  }
  for (const [path, hash] of wanted) {
    if (found.get(path) !== hash)
      throw new Error(`${root}: ${path} of ${version} is ${found.get(path) ?? 'missing'}`)
  }
  for (const path of found.keys()) {
    if (!wanted.has(path) && !machineFiles.has(path)) throw new Error(`${root}: ${path} is not of ${version}`)
  }
  return version
}
