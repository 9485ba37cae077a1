import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ESP_UUID, makeGrubDisk, withDevice, withMounted } from './grub-disk.ts'
import type { GrubDisk } from './grub-disk.ts'
import type { FirmwareKind } from './grub-machine.ts'
import type { HostImages } from './host-images.ts'
import { machineArguments } from './machine.ts'

const exec = promisify(execFile)
const programs = join(import.meta.dirname, '../../../dist')
const rootBytes = 4 * 1024 ** 3
const timeout = 600_000

export type DebianDisk = GrubDisk & { readonly kernelLine: string }

export type DebianOptions = {
  readonly dir: string
  readonly name: string
  readonly firmware: FirmwareKind
  readonly images: HostImages
  /** Of the agent, which is installed as a package would be. */
  readonly config: string
  readonly identity: string
}

/** As Debian's installer lays it out on btrfs: the root in @rootfs, /boot as ext4, the ESP at /boot/efi. */
export async function installDebian(options: DebianOptions): Promise<DebianDisk> {
  const rootUuid = randomUUID()
  const own = [`root=UUID=${rootUuid}`, 'ro', 'rootflags=subvol=@rootfs', ...machineArguments].join(' ')
  const kernelLine = `BOOT_IMAGE=/vmlinuz ${own}`
  const ownEntries = `menuentry 'Debian GNU/Linux' {\n  linux /vmlinuz ${own}\n  initrd /initrd.img\n}\n`
  const disk = await makeGrubDisk({ path: join(options.dir, `${options.name}.raw`), rootBytes, ownEntries })
  await withDevice(disk.path, disk.root, async (device) => {
    await exec('mkfs.btrfs', ['--quiet', '--uuid', rootUuid, device], { timeout })
    await withMounted(device, [], async (top) => {
      const root = join(top, '@rootfs')
      await exec('btrfs', ['subvolume', 'create', root], { timeout })
      await options.images.unpack(root)
      await writeSettings(root, rootUuid, disk, options)
      await disk.withBoot(async (boot) => moveKernel(join(root, 'boot'), boot))
    })
  })
  return { ...disk, kernelLine }
}

async function writeSettings(
  root: string,
  rootUuid: string,
  disk: GrubDisk,
  { name, firmware, config, identity }: DebianOptions,
): Promise<void> {
  const esp = firmware === 'uefi' ? [`UUID=${ESP_UUID} /boot/efi vfat umask=0077 0 1`] : []
  const fstab = [
    `UUID=${rootUuid} / btrfs defaults,subvol=@rootfs 0 0`,
    `UUID=${disk.bootUuid} /boot ext4 defaults 0 2`,
  ]
  const files = {
    'etc/fstab': [...fstab, ...esp, ''].join('\n'),
    'etc/hostname': `${name}\n`,
    'etc/machine-id': `${randomUUID().replaceAll('-', '')}\n`,
    'srv/ledger': 'kept since before\n',
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await copyFile(config, join(root, 'etc/bootfleet/agent.yaml'))
  await cp(identity, join(root, 'var/lib/bootfleet/agent/identity'), { recursive: true })
}

async function moveKernel(from: string, boot: string): Promise<void> {
  for (const name of await readdir(from)) {
    const short = /^(vmlinuz|initrd\.img)-/.exec(name)?.[1]
    if (short !== undefined) await copyFile(join(from, name), join(boot, short))
    await rm(join(from, name), { recursive: true })
  }
  await mkdir(join(boot, 'efi'))
}

export type Adoption = {
  readonly disk: DebianDisk
  readonly firmware: FirmwareKind
  readonly image: string
  readonly registries: string
}

/** Both steps of the command, on the disk as it lies in a machine that is off. */
export async function adoptDebian({ disk, firmware, image, registries }: Adoption): Promise<void> {
  const env = {
    ...process.env,
    PATH: `${programs}:${process.env['PATH']}`,
    CONTAINERS_REGISTRIES_CONF: registries,
  }
  await withDevice(disk.path, disk.root, async (device) =>
    withMounted(device, ['-o', 'subvol=@rootfs'], async (root) =>
      withDevice(disk.path, disk.boot, async (boot) => {
        await exec('mount', [boot, join(root, 'boot')], { timeout })
        await writeFile(join(root, 'proc/cmdline'), `${disk.kernelLine}\n`)
        if (firmware === 'uefi') await mkdir(join(root, 'sys/firmware/efi'), { recursive: true })
        const adopt = async (...words: string[]): Promise<string> =>
          (await exec('bootfleet-agent', ['adopt', ...words, '--sysroot', root, image], { env, timeout }))
            .stdout
        const { fingerprint } = JSON.parse(await adopt('--dry-run', '--json')) as { fingerprint: string }
        await adopt('--approve', fingerprint)
        await exec('umount', [join(root, 'boot')], { timeout })
      }),
    ),
  )
}
