import { readFile, readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { layerUnder } from './device-layer.ts'
import type { LoaderFacts, RoomFacts } from './facts.ts'
import type { Mounted } from './mounts.ts'

export type BootFacts = {
  readonly firmware: 'UEFI' | 'BIOS'
  readonly loader: LoaderFacts
  readonly room: RoomFacts | null
}

/** Where systemd keeps the loader's variables. */
const VARIABLES = 'sys/firmware/efi/efivars'
const VENDOR = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'
const ESP_PLACES = ['/efi', '/boot/efi', '/boot'] as const
/** File systems that GRUB writes its environment block to. */
const GRUB_WRITES: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'vfat'])
/** Where no kernel is found to measure: what distributions' kernels and initrds take. */
const KERNEL_UNKNOWN_BYTES = 96 * 1024 ** 2

export async function gatherBoot(sysroot: string, mounts: readonly Mounted[]): Promise<BootFacts> {
  const isUefi = await isThere(join(sysroot, 'sys/firmware/efi'))
  const loader = await findLoader(sysroot, mounts, isUefi)
  const place = loader.kind === 'systemd-boot' ? loader.esp : loader.kind === 'grub' ? loader.boot : null
  return {
    firmware: isUefi ? 'UEFI' : 'BIOS',
    loader,
    room: place === null ? null : await roomAt(sysroot, place),
  }
}

async function findLoader(
  sysroot: string,
  mounts: readonly Mounted[],
  isUefi: boolean,
): Promise<LoaderFacts> {
  const esp = isUefi ? await findSystemdBoot(sysroot, mounts) : null
  const config = await findGrub(sysroot)
  const said = await variable(sysroot, 'LoaderInfo')
  if (esp !== null && (config === null || said?.startsWith('systemd-boot') === true))
    return systemdBoot(sysroot, esp)
  if (config === null) return { kind: 'other' }
  const writable = mounts.find(({ at, type }) => at === '/boot' && GRUB_WRITES.has(type))
  const text = await readFile(join(sysroot, config, 'grub.cfg'), 'utf8').catch(() => '')
  return {
    kind: 'grub',
    config,
    boot: writable?.at ?? null,
    layer: writable === undefined ? null : await layerUnder(writable.source),
    readsCustom: /^[ \t]*(?:source|\.|configfile)[ \t]+\S*custom\.cfg/m.test(text),
  }
}

async function findSystemdBoot(sysroot: string, mounts: readonly Mounted[]): Promise<string | null> {
  for (const esp of ESP_PLACES) {
    if (!mounts.some(({ at }) => at === esp)) continue
    for (const folder of ['EFI', 'efi']) {
      const names = await namesIn(join(sysroot, esp, folder, 'systemd'))
      if (names.some((name) => /^systemd-boot.*\.efi$/i.test(name))) return esp
    }
  }
  return null
}

async function findGrub(sysroot: string): Promise<string | null> {
  for (const folder of ['/boot/grub', '/boot/grub2'])
    if (await isThere(join(sysroot, folder, 'grub.cfg'))) return folder
  return null
}

async function systemdBoot(sysroot: string, esp: string): Promise<LoaderFacts> {
  const loader = join(sysroot, esp, 'loader')
  const settings = await readFile(join(loader, 'loader.conf'), 'utf8').catch(() => '')
  // The loader also reads a partition of its own for entries, which is mounted at /boot.
  const folders = new Set([esp, '/boot'].map((place) => join(sysroot, place, 'loader/entries')))
  const before = (await Promise.all([...folders].map(entriesBefore))).flat()
  return {
    kind: 'systemd-boot',
    esp,
    default: /^default[ \t]+(\S.*?)[ \t]*$/m.exec(settings)?.[1] ?? null,
    firmwareDefault: ((await variable(sysroot, 'LoaderEntryDefault')) ?? '') !== '',
    before: before.toSorted(),
  }
}

/** Entries that the loader would choose before ours: good ones, by their sort key. */
async function entriesBefore(folder: string): Promise<readonly string[]> {
  const before: string[] = []
  for (const name of (await namesIn(folder)).filter((one) => one.endsWith('.conf'))) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '')
    const key = /^sort-key[ \t]+(\S+)/m.exec(text)?.[1]
    if (key !== undefined && key < 'bootfleet' && !/\+0(-\d+)?\.conf$/.test(name))
      before.push(`${name} (${key})`)
  }
  return before
}

/** Text of an EFI variable: four bytes of attributes, then UTF-16. */
async function variable(sysroot: string, name: string): Promise<string | null> {
  const bytes = await readFile(join(sysroot, VARIABLES, `${name}-${VENDOR}`)).catch(() => null)
  return bytes?.subarray(4).toString('utf16le').replaceAll('\0', '') ?? null
}

/** For a kernel and initrd as big as the biggest here, and the image's may be bigger. */
async function roomAt(sysroot: string, place: string): Promise<RoomFacts> {
  const { bavail, bsize } = await statfs(join(sysroot, place))
  const kernels = await biggest(sysroot, place, /^(vmlinuz|linux)/)
  const initrds = await biggest(sysroot, place, /^(initrd|initramfs)/)
  const measured = kernels + initrds
  return {
    freeBytes: bavail * bsize,
    neededBytes: kernels === 0 || initrds === 0 ? KERNEL_UNKNOWN_BYTES : measured,
  }
}

async function biggest(sysroot: string, place: string, pattern: RegExp): Promise<number> {
  let bytes = 0
  for (const folder of [place, '/boot']) {
    const found = await readdir(join(sysroot, folder), { recursive: true, withFileTypes: true }).catch(
      () => [],
    )
    for (const one of found.filter(({ name }) => pattern.test(name))) {
      if (one.isFile()) bytes = Math.max(bytes, (await stat(join(one.parentPath, one.name))).size)
    }
  }
  return bytes
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
