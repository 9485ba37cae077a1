import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { env } from 'node:process'
import { SnapError } from '../errors.ts'

/** Each with the Debian package that brings it. */
const packages = {
  btrfs: 'btrfs-progs',
  'mkfs.btrfs': 'btrfs-progs',
  sfdisk: 'fdisk',
  'mkfs.fat': 'dosfstools',
  mcopy: 'mtools',
  losetup: 'mount',
  mount: 'mount',
  umount: 'mount',
  skopeo: 'skopeo',
  blockdev: 'util-linux',
  wipefs: 'util-linux',
  'qemu-img': 'qemu-utils',
} as const

export type ToolName = keyof typeof packages

/** Where each tool is: they live in /usr/sbin, which is not on everybody's PATH. */
export type Tools = Readonly<Record<ToolName, string>>

export type ToolsOptions = { readonly attempt: string; readonly needed: readonly ToolName[] }

export const toolNames = Object.keys(packages) as ToolName[]

/** All that is missing of what is needed is told at once, and before anything is written. */
export async function findTools({ attempt, needed }: ToolsOptions): Promise<Tools> {
  const found = await Promise.all(toolNames.map(async (name) => [name, await locate(name)] as const))
  const missing = found.flatMap(([name, path]) => (path === null && needed.includes(name) ? [name] : []))
  if (missing.length > 0) {
    const wanted = [...new Set(missing.map((name) => packages[name]))].join(' ')
    throw new SnapError(
      'refused',
      `${attempt}: ${missing.join(', ')} not found on this machine; on Debian: apt-get install ${wanted}`,
    )
  }
  return Object.fromEntries(found.map(([name, path]) => [name, path ?? name])) as Tools
}

async function locate(name: string): Promise<string | null> {
  for (const folder of [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    if (folder === '') continue
    const path = join(folder, name)
    if (await isExecutable(path)) return path
  }
  return null
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
