import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Null takes a path away; a slash at the end of a path makes a folder. */
export type TreeFiles = Readonly<Record<string, string | { linkTo: string } | { program: string } | null>>

export const kernelVersion = '6.12.0-1-amd64'
const modules = `usr/lib/modules/${kernelVersion}`

function programs(...paths: readonly string[]): TreeFiles {
  return Object.fromEntries(paths.map((path) => [path, { program: '#!/bin/sh\n' }]))
}

function enabledUnit(unit: string, group: string): TreeFiles {
  const file = `usr/lib/systemd/system/${unit}`
  return { [file]: '[Unit]\n', [`etc/systemd/system/${group}/${unit}`]: { linkTo: `/${file}` } }
}

/** A system as small as the rules of `lint` let it be, for both kinds of boot loader. */
export const soundSystem: TreeFiles = {
  ...enabledUnit('container-snap-readonly.service', 'local-fs.target.wants'),
  ...enabledUnit('container-snap-repair.service', 'multi-user.target.wants'),
  ...enabledUnit('container-snap-bless.service', 'multi-user.target.wants'),
  ...programs('usr/bin/container-snap', 'usr/bin/node', 'usr/bin/skopeo', 'usr/bin/btrfs', 'usr/bin/flock'),
  ...programs('usr/bin/unshare', 'usr/bin/setpriv', 'usr/bin/tar', 'usr/lib/systemd/systemd'),
  ...programs('usr/sbin/tukit', 'usr/bin/rsync', 'usr/bin/dracut', 'usr/sbin/grub2-mkconfig', 'usr/sbin/pbl'),
  ...programs('usr/lib/systemd/systemd-networkd'),
  bin: { linkTo: 'usr/bin' },
  sbin: { linkTo: 'usr/sbin' },
  'usr/sbin/init': { linkTo: '/usr/lib/systemd/systemd' },
  'usr/lib64/libtukit.so.4': 'ELF\0/usr/bin/container-snap\0',
  'usr/lib/systemd/boot/efi/systemd-bootx64.efi': 'MZ',
  [`boot/vmlinuz-${kernelVersion}`]: 'kernel',
  [`boot/initrd.img-${kernelVersion}`]: 'initrd',
  [`${modules}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
  [`${modules}/modules.dep`]: 'kernel/fs/btrfs/btrfs.ko.xz: kernel/lib/raid6/raid6_pq.ko.xz\n',
  'usr/share/initramfs-tools/hooks/btrfs': '#!/bin/sh\n',
  'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': {
    linkTo: '/usr/lib/systemd/system/systemd-networkd.service',
  },
  'etc/os-release': { linkTo: '../usr/lib/os-release' },
  'usr/lib/os-release': 'ID=debian\nVERSION_ID="13"\n',
  'etc/machine-id': 'uninitialized\n',
  'etc/fstab': '# UNCONFIGURED FSTAB FOR BASE SYSTEM\n\n',
  'etc/hostname': 'localhost\n',
  'etc/ssh/ssh_config': 'Host *\n',
  'var/lib/dbus/machine-id': { linkTo: '/etc/machine-id' },
  'var/lib/dpkg/status': 'Package: base-files\n',
  'var/cache/debconf/config.dat': '',
  'var/log/apt/history.log': '',
  'var/lib/empty/': '',
  'usr/local/bin/': '',
  'usr/local/man': { linkTo: 'share/man' },
  'root/.bashrc': 'umask 022\n',
  'home/': '',
  'srv/': '',
  opt: { linkTo: 'var/opt' },
  'dev/': '',
  'proc/': '',
  'sys/': '',
  'run/': '',
  'tmp/': '',
  'efi/': '',
  '.snapshots/': '',
}

export type UnpackedTree = { root: string; close: () => Promise<void> }

export async function unpackTree(files: TreeFiles): Promise<UnpackedTree> {
  const root = await mkdtemp(join(tmpdir(), 'container-snap-tree-'))
  for (const [path, content] of Object.entries(files)) await place(join(root, path), content)
  return { root, close: async () => rm(root, { recursive: true, force: true }) }
}

async function place(path: string, content: TreeFiles[string]): Promise<void> {
  if (content === null || content === undefined) return
  await mkdir(path.endsWith('/') ? path : dirname(path), { recursive: true })
  if (path.endsWith('/')) return
  if (typeof content === 'string') return writeFile(path, content)
  if ('linkTo' in content) return symlink(content.linkTo, path)
  await writeFile(path, content.program)
  await chmod(path, 0o755)
}
