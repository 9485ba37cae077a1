import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const sectorBytes = 512
const mebibyte = 1024 * 1024
const timeout = 120_000

export type GrubPartition = { readonly startBytes: number; readonly sizeBytes: number }

/** Of the ESP, as fstab names it. */
export const ESP_UUID = 'B007-F1EE'

/**
 * A machine's disk as a distribution's installer leaves it, for both firmwares: room for GRUB's BIOS core, an ESP with
 * GRUB in it, /boot as ext4, and the rest, empty, for a root.
 */
export type GrubDisk = {
  readonly path: string
  readonly boot: GrubPartition
  readonly root: GrubPartition
  readonly bootUuid: string
  /** Mounts /boot for as long as the work takes. */
  readonly withBoot: <T>(work: (directory: string) => Promise<T>) => Promise<T>
  /** A file of /boot as the disk has it, without the journal: as GRUB sees it. */
  readonly readBoot: (path: string) => Promise<string>
}

export type GrubDiskOptions = {
  readonly path: string
  readonly rootBytes: number
  /** Between the header of grub.cfg and what reads custom.cfg. */
  readonly ownEntries: string
}

const sizes = { bios: mebibyte, esp: 36 * mebibyte, boot: 128 * mebibyte } as const
const types = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
} as const

export async function makeGrubDisk({ path, rootBytes, ownEntries }: GrubDiskOptions): Promise<GrubDisk> {
  const bios = { startBytes: mebibyte, sizeBytes: sizes.bios }
  const esp = { startBytes: endOf(bios), sizeBytes: sizes.esp }
  const boot = { startBytes: endOf(esp), sizeBytes: sizes.boot }
  const root = { startBytes: endOf(boot), sizeBytes: rootBytes }
  const bootUuid = randomUUID()
  const disk: GrubDisk = {
    path,
    boot,
    root,
    bootUuid,
    withBoot: async (work) => withDevice(path, boot, async (device) => withMounted(device, [], work)),
    readBoot: async (file) =>
      (await exec('grub-fstest', [path, 'cat', `(loop0,gpt3)${file}`], { timeout })).stdout,
  }
  await writeTable(path, endOf(root) + mebibyte, [
    [bios, types.bios],
    [esp, types.esp],
    [boot, types.linux],
    [root, types.linux],
  ])
  const offset = `offset=${boot.startBytes}`
  const blocks = String(boot.sizeBytes / 1024)
  await exec('mkfs.ext4', ['-q', '-F', '-U', bootUuid, '-L', 'boot', '-E', offset, path, `${blocks}k`], {
    timeout,
  })
  await disk.withBoot(async (directory) => writeGrubFolder(join(directory, 'grub'), ownEntries))
  const scratch = await mkdtemp(join(tmpdir(), 'bootfleet-grub-disk-'))
  try {
    await installOnBios(disk, bios, scratch)
    await installOnEfi(disk, esp, scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return disk
}

function endOf({ startBytes, sizeBytes }: GrubPartition): number {
  return startBytes + sizeBytes
}

async function writeTable(
  path: string,
  diskBytes: number,
  partitions: readonly [GrubPartition, string][],
): Promise<void> {
  const file = await open(path, 'w')
  await file.truncate(diskBytes)
  await file.close()
  const lines = partitions.map(
    ([{ startBytes, sizeBytes }, type]) =>
      `start=${startBytes / sectorBytes}, size=${sizeBytes / sectorBytes}, type=${type}`,
  )
  const running = exec('sfdisk', ['--quiet', path], { timeout })
  running.child.stdin?.end(`label: gpt\n${lines.join('\n')}\n`)
  await running
}

/** The partition as a device of this machine, for as long as the work takes. */
export async function withDevice<T>(
  path: string,
  { startBytes, sizeBytes }: GrubPartition,
  work: (device: string) => Promise<T>,
): Promise<T> {
  const range = [`--offset=${startBytes}`, `--sizelimit=${sizeBytes}`]
  const device = (await exec('losetup', ['--find', '--show', ...range, path], { timeout })).stdout.trim()
  try {
    return await work(device)
  } finally {
    await exec('losetup', ['--detach', device], { timeout })
  }
}

export async function withMounted<T>(
  device: string,
  options: readonly string[],
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'bootfleet-mounted-'))
  try {
    await exec('mount', [...options, device, directory], { timeout })
    try {
      return await work(directory)
    } finally {
      await exec('umount', ['--recursive', directory], { timeout })
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const platforms = ['i386-pc', 'x86_64-efi'] as const

/** Modules of both firmwares, and a grub.cfg in the order of Debian's; what reads custom.cfg is Debian's own. */
async function writeGrubFolder(folder: string, ownEntries: string): Promise<void> {
  for (const platform of platforms) {
    await mkdir(join(folder, platform), { recursive: true })
    const source = `/usr/lib/grub/${platform}`
    const names = (await readdir(source)).filter((name) => /\.(mod|lst)$/.test(name))
    for (const name of names) await copyFile(join(source, name), join(folder, platform, name))
  }
  const custom = (await exec('/etc/grub.d/41_custom', [], { timeout })).stdout
  await writeFile(join(folder, 'grub.cfg'), `${header}\n${ownEntries}\n${custom}`)
}

const header = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "\${next_entry}" ] ; then
  set default="\${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
else
  set default="0"
fi
set timeout_style=menu
set timeout=1
`

const coreModules = [
  'part_gpt',
  'ext2',
  'fat',
  'normal',
  'search',
  'search_fs_uuid',
  'configfile',
  'test',
  'echo',
  'serial',
]

async function core(
  disk: GrubDisk,
  platform: string,
  modules: readonly string[],
  scratch: string,
): Promise<string> {
  const early = join(scratch, `${platform}.cfg`)
  const image = join(scratch, platform)
  await writeFile(
    early,
    `search --no-floppy --fs-uuid --set=root ${disk.bootUuid}\nset prefix=($root)/grub\n`,
  )
  const args = ['-O', platform, '-o', image, '-p', '/grub', '-c', early, ...coreModules, ...modules]
  await exec('grub-mkimage', args, { timeout })
  return image
}

/** What grub-bios-setup does, which wants a real disk: each stage is told the sector of the next. */
async function installOnBios(disk: GrubDisk, { startBytes }: GrubPartition, scratch: string): Promise<void> {
  const image = await readFile(await core(disk, 'i386-pc', ['biosdisk'], scratch))
  const first = startBytes / sectorBytes
  image.writeBigUInt64LE(BigInt(first + 1), 0x1f4)
  const loader = await readFile('/usr/lib/grub/i386-pc/boot.img')
  loader.writeBigUInt64LE(BigInt(first), 0x5c)
  // The BIOS's word for the disk is taken as it is.
  loader.writeUInt16LE(0x9090, 0x66)
  const file = await open(disk.path, 'r+')
  try {
    // The partition table begins at 0x1b8 with the disk's id.
    await file.write(loader, 0, 0x1b8, 0)
    await file.write(image, 0, image.length, startBytes)
  } finally {
    await file.close()
  }
}

async function installOnEfi(
  disk: GrubDisk,
  { startBytes, sizeBytes }: GrubPartition,
  scratch: string,
): Promise<void> {
  const image = await core(disk, 'x86_64-efi', [], scratch)
  const tree = join(scratch, 'EFI')
  await mkdir(join(tree, 'BOOT'), { recursive: true })
  await copyFile(image, join(tree, 'BOOT/BOOTX64.EFI'))
  const offset = startBytes / sectorBytes
  const shape = [
    '-F',
    '32',
    '-i',
    ESP_UUID.replace('-', ''),
    '-s',
    '1',
    '-h',
    String(offset),
    '--mbr=n',
    `--offset=${offset}`,
  ]
  await exec('mkfs.fat', [...shape, disk.path, String(sizeBytes / 1024)], { timeout })
  await exec('mcopy', ['-i', `${disk.path}@@${startBytes}`, '-s', '-Q', tree, '::/'], { timeout })
}
