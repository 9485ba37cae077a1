import { constants } from 'node:fs'
import { access, readFile, readdir, realpath, stat, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { nameOfSystem } from '../hosts/os-release.ts'
import type { Facts } from './facts.ts'
import { SUBVOLUME_NAMES } from './facts.ts'
import { gatherBoot } from './gather-boot.ts'
import { gatherEtc } from './gather-etc.ts'
import { gatherFolders, gatherOutside } from './gather-folders.ts'
import { inspectImage } from './image.ts'
import { journalPath } from './journal.ts'
import type { ListedSubvolume, Mounted } from './mounts.ts'
import { defaultSubvolume, mountsOf, requireRoot, subvolumesOf } from './mounts.ts'

export type GatherOptions = {
  /** Where the machine's root is mounted; `/` for the one we run on. */
  readonly sysroot: string
  readonly image: string
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Where programs are looked for, as in PATH. */
  readonly programPath: string
}

/** What an image unpacked takes, to what its layers have as they are sent. */
const UNPACKED_TO_SENT = 3
const PROGRAMS = ['container-snap', 'skopeo', 'btrfs', 'findmnt', 'mount', 'cp', 'flock', 'unshare', 'tar']

/** By container-snap, whatever it is asked first: its lock, and folders with nothing in them. */
const MADE_BY_ASKING: readonly string[] = ['ledger.lock', 'runroot', 'snapshots', 'tmp']

/** Looks at everything and changes nothing. */
export async function gatherFacts(options: GatherOptions): Promise<Facts> {
  const { sysroot, signal } = options
  // Partitions of the loader may be mounted only when somebody looks.
  for (const folder of ['boot', 'boot/efi', 'efi']) await readdir(join(sysroot, folder)).catch(() => [])
  const mounts = await mountsOf(sysroot, options)
  const root = requireRoot(mounts, sysroot)
  const isBtrfs = root.type === 'btrfs'
  const image = await inspectImage({ reference: options.image, env: options.env, signal })
  const subvolumes = isBtrfs ? await subvolumesOf(sysroot, options) : []
  const { podmanRoot, ...etc } = await gatherEtc(sysroot)
  const { firmware, loader, room } = await gatherBoot(sysroot, mounts)
  const { bavail, bsize } = await statfs(sysroot)
  return {
    image,
    system: await systemName(sysroot),
    firmware,
    loader,
    kernelArguments: await kernelArguments(sysroot),
    root: {
      fileSystem: root.type,
      uuid: root.uuid,
      subvolume: root.root,
      subvolumeId: Number(/(?:^|,)subvolid=(\d+)/.exec(root.options)?.[1] ?? 0),
      defaultId: isBtrfs ? await defaultSubvolume(sysroot, options) : 0,
    },
    folders: await gatherFolders(sysroot, mounts, root),
    apart: mounts.map(({ at }) => at).filter((at) => at === '/usr' || at === '/etc'),
    nested: nestedIn(root, subvolumes),
    taken: subvolumes.map(({ path }) => path).filter((path) => SUBVOLUME_NAMES.includes(path)),
    store: await storeOf(sysroot, podmanRoot),
    adoption: (await isThere(journalPath(sysroot))) ? 'begun' : 'none',
    encrypted: await isEncrypted(sysroot, root),
    ...etc,
    outside: await gatherOutside(sysroot, mounts),
    missingPrograms: await missingPrograms(options.programPath),
    room: {
      disk: { freeBytes: bavail * bsize, neededBytes: image.bytes * UNPACKED_TO_SENT },
      boot: room,
    },
  }
}

async function systemName(sysroot: string): Promise<string> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const name = nameOfSystem(await readFile(join(sysroot, path), 'utf8').catch(() => ''))
    if (name !== '') return name
  }
  return 'an unknown system'
}

/** Those of the running kernel; of a machine that does not run there are none to be seen. */
async function kernelArguments(sysroot: string): Promise<readonly string[]> {
  const text = await readFile(join(sysroot, 'proc/cmdline'), 'utf8').catch(() => '')
  return text.trim().split(/\s+/).filter(Boolean)
}

/** Below the root's own subvolume, as paths below it. */
function nestedIn(root: Mounted, subvolumes: readonly ListedSubvolume[]): readonly string[] {
  const prefix = root.root === '/' ? '' : `${root.root.slice(1)}/`
  return subvolumes
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path }) => path.slice(prefix.length))
    .toSorted()
}

async function storeOf(sysroot: string, podmanRoot: string | null): Promise<Facts['store']> {
  if (podmanRoot?.startsWith('/var/lib/container-snap') === true) return "podman's"
  const base = join(sysroot, 'var/lib/container-snap')
  const namesIn = async (path: string): Promise<readonly string[]> => readdir(path).catch(() => [])
  const names = await namesIn(base)
  if (names.some((name) => !MADE_BY_ASKING.includes(name))) return 'there'
  const inside = await Promise.all(names.map((name) => namesIn(join(base, name))))
  return inside.flat().length > 0 ? 'there' : 'none'
}

/** The kernel says of a device-mapper device what made it. */
async function isEncrypted(sysroot: string, root: Mounted): Promise<boolean> {
  const device = basename(await realpath(root.source).catch(() => root.source))
  const uuid = await readFile(join(sysroot, 'sys/class/block', device, 'dm/uuid'), 'utf8').catch(() => '')
  return uuid.startsWith('CRYPT-')
}

async function missingPrograms(programPath: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (const program of PROGRAMS) {
    const places = programPath.split(':').map((folder) => join(folder, program))
    const found = await Promise.all(places.map(isProgram))
    if (!found.includes(true)) missing.push(program)
  }
  return missing
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
