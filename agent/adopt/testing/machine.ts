import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'

/** Subvolumes by path from the top level and where they are mounted; the first is the root, also where it is `''`. */
export type Layout = {
  readonly name: string
  readonly subvolumes: readonly (readonly [subvolume: string, at: string])[]
  /** A subvolume inside another one that nothing mounts, as systemd makes them. */
  readonly nested?: readonly string[]
  /** Which the file system's default is; the top level where nothing is said. */
  readonly defaultSubvolume?: string
  /** On a file system of another kind. */
  readonly elsewhere?: readonly string[]
  readonly loader: 'systemd-boot' | 'grub'
  /** The kernel's, after `root=`. */
  readonly kernelArguments: string
}

/** As the installer of each distribution makes it. */
export const LAYOUTS = {
  openSUSE: {
    name: 'openSUSE',
    subvolumes: [
      ['@/.snapshots/1/snapshot', ''],
      ['@/.snapshots', '.snapshots'],
      ['@/var', 'var'],
      ['@/usr/local', 'usr/local'],
      ['@/srv', 'srv'],
      ['@/root', 'root'],
      ['@/opt', 'opt'],
      ['@/home', 'home'],
      ['@efi', 'efi'],
    ],
    defaultSubvolume: '@/.snapshots/1/snapshot',
    loader: 'systemd-boot',
    kernelArguments: 'rootflags=subvol=@/.snapshots/1/snapshot splash=silent quiet console=ttyS0',
  },
  Fedora: {
    name: 'Fedora',
    subvolumes: [
      ['root', ''],
      ['home', 'home'],
    ],
    nested: ['root/var/lib/machines', 'root/var/lib/portables'],
    elsewhere: ['boot'],
    loader: 'grub',
    kernelArguments: 'ro rootflags=subvol=root rhgb quiet',
  },
  Debian: {
    name: 'Debian',
    subvolumes: [
      ['@rootfs', ''],
      ['@efi', 'efi'],
    ],
    loader: 'systemd-boot',
    kernelArguments: 'ro rootflags=subvol=@rootfs quiet',
  },
} as const satisfies Record<string, Layout>

/** A disk with a system on it that was installed as everybody does, mounted as it runs. */
export type TestMachine = {
  /** What `--sysroot` names. */
  readonly root: string
  readonly uuid: string
  /** Every subvolume by its path, with the default's id in front. */
  readonly subvolumes: () => Promise<readonly string[]>
  readonly write: (path: string, text: string) => Promise<void>
  /** Unmounts it and mounts another subvolume as its root, with these below it. */
  readonly bootInto: (subvolume: string, mounts: readonly (readonly [string, string])[]) => Promise<void>
  readonly close: () => Promise<void>
}

const SIZE_MIB = 384

export async function openTestMachine(layout: Layout): Promise<TestMachine> {
  const base = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-'))
  const root = join(base, 'root')
  const device = await makeDisk(join(base, 'disk.img'), ['mkfs.btrfs', '--quiet'])
  const devices = [device]
  const others: [device: string, at: string][] = []
  await mkdir(root)
  await makeSubvolumes(device, join(base, 'top'), layout)
  const mount = async (list: Layout['subvolumes']): Promise<void> => {
    for (const [subvolume, at] of list) {
      if (at !== '')
        for (const [other, place] of others.splice(0)) await execa('mount', [other, join(root, place)])
      await mkdir(join(root, at), { recursive: true })
      await execa('mount', [
        '-o',
        subvolume === '' ? 'subvolid=5' : `subvol=${subvolume}`,
        device,
        join(root, at),
      ])
    }
  }
  await mount(layout.subvolumes)
  const mountedElsewhere: [device: string, at: string][] = []
  for (const at of layout.elsewhere ?? []) {
    const other = await makeDisk(join(base, `${at}.img`), ['mkfs.ext4', '-q'])
    devices.push(other)
    mountedElsewhere.push([other, at])
    await mkdir(join(root, at), { recursive: true })
    await execa('mount', [other, join(root, at)])
  }
  const uuid = (await execa('findmnt', ['-no', 'UUID', '--mountpoint', root])).stdout.trim()
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  for (const [path, text] of Object.entries(filesOf(layout, uuid))) await write(path, text)
  return {
    root,
    uuid,
    write,
    subvolumes: async () => {
      const shown = await execa('btrfs', ['subvolume', 'get-default', root])
      const { stdout } = await execa('btrfs', ['subvolume', 'list', root])
      return [
        shown.stdout,
        ...[...stdout.matchAll(/ path (.*)$/gm)].map((match) => match[1] ?? '').toSorted(),
      ]
    },
    bootInto: async (subvolume, mounts) => {
      await execa('umount', ['--recursive', root])
      others.push(...mountedElsewhere)
      await mount([[subvolume, ''], ...mounts])
    },
    close: async () => {
      await execa('umount', ['--recursive', root], { reject: false })
      for (const one of devices) await execa('losetup', ['--detach', one])
      await rm(base, { recursive: true, force: true })
    },
  }
}

async function makeDisk(file: string, command: readonly [string, ...string[]]): Promise<string> {
  await writeFile(file, '')
  await truncate(file, SIZE_MIB * 1024 * 1024)
  const [program, ...words] = command
  await execa(program, [...words, file])
  return (await execa('losetup', ['--find', '--show', file])).stdout
}

async function makeSubvolumes(device: string, top: string, layout: Layout): Promise<void> {
  await mkdir(top)
  await execa('mount', ['-o', 'subvolid=5', device, top])
  const all = [...layout.subvolumes.map(([path]) => path), ...(layout.nested ?? [])]
  for (const path of all.filter(Boolean).toSorted((a, b) => a.length - b.length)) {
    await mkdir(join(top, dirname(path)), { recursive: true })
    await execa('btrfs', ['subvolume', 'create', join(top, path)])
  }
  if (layout.defaultSubvolume !== undefined)
    await execa('btrfs', ['subvolume', 'set-default', join(top, layout.defaultSubvolume)])
  await execa('umount', [top])
}

function filesOf(layout: Layout, uuid: string): Readonly<Record<string, string>> {
  const lines = layout.subvolumes.map(([subvolume, at]) =>
    at === 'efi'
      ? 'UUID=0000-0001 /efi vfat umask=0077 0 2'
      : `UUID=${uuid} /${at} btrfs subvol=${subvolume} 0 0`,
  )
  const others = (layout.elsewhere ?? []).map((at) => `UUID=ext-${at} /${at} ext4 defaults 1 2`)
  return {
    'usr/lib/os-release': `ID=${layout.name.toLowerCase()}\nPRETTY_NAME="${layout.name} Linux 1"\n`,
    'proc/cmdline': `BOOT_IMAGE=/vmlinuz root=UUID=${uuid} ${layout.kernelArguments}\n`,
    'sys/firmware/efi/fw_platform_size': '64\n',
    'etc/fstab': `# as installed\n${[...lines, ...others].join('\n')}\n/swapfile none swap sw 0 0\n`,
    'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
    'etc/hostname': 'till-1\n',
    'etc/resolv.conf': 'nameserver 192.0.2.1\n',
    'etc/sudoers': 'root ALL=(ALL) ALL\n',
    'etc/systemd/network/10-lan.network': '[Match]\nName=en*\n',
    'etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer': '',
    'etc/ssh/ssh_host_ed25519_key': 'PRIVATE\n',
    'etc/ssh/sshd_config': 'PermitRootLogin no\n',
    'etc/passwd':
      'root:x:0:0::/root:/bin/bash\nsshd:x:105:65534::/run/sshd:/bin/false\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n',
    'etc/group': 'root:x:0:\nsudo:x:27:ann\nlocal:x:990:ann\nann:x:1000:\n',
    'etc/shadow': 'root:$6$here:20000:0:99999:7:::\nsshd:!:20000::::::\nann:$6$ann:20000:0:99999:7:::\n',
    'etc/gshadow': 'root:*::\nsudo:*::ann\nann:!::\n',
    'etc/subuid': 'ann:100000:65536\n',
    'etc/subgid': 'ann:100000:65536\n',
    'var/lib/app/state': 'state of the old root\n',
    'home/ann/notes': 'mine\n',
    'root/.ssh/authorized_keys': 'ssh-ed25519 KEY\n',
    'usr/bin/tool': 'old\n',
    'data/file': 'nobody keeps it\n',
    'boot/vmlinuz-6.1': 'kernel',
    'boot/initrd.img-6.1': 'initrd',
    ...loaderFiles(layout),
  }
}

function loaderFiles({ loader }: Layout): Readonly<Record<string, string>> {
  switch (loader) {
    case 'systemd-boot':
      return {
        'efi/EFI/systemd/systemd-bootx64.efi': 'MZ',
        'efi/loader/loader.conf': 'timeout 3\ndefault old-*\n',
        'efi/loader/entries/old-6.1.conf': 'title Old\nsort-key old\nlinux /old/vmlinuz\n',
      }
    case 'grub':
      return {
        'boot/grub2/grub.cfg':
          '# GRUB\nif [ -f ${prefix}/custom.cfg ]; then\n  source ${prefix}/custom.cfg\nfi\n',
        'boot/efi/EFI/fedora/grubx64.efi': 'MZ',
      }
  }
}
