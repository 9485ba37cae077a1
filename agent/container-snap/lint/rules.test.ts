import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { TreeFiles } from '../testing/system-tree.ts'
import { kernelVersion, soundSystem, unpackTree } from '../testing/system-tree.ts'
import type { Profile } from './rule.ts'
import { profiles } from './rule.ts'
import { findingsIn, rules } from './rules.ts'
import { openTree } from './tree.ts'

const modules = `usr/lib/modules/${kernelVersion}`
const agent: TreeFiles = {
  'usr/bin/bootfleet-agent': { program: '#!/bin/sh\n' },
  'usr/lib/systemd/system/bootfleet-agent.service': '[Unit]\n',
  'usr/lib/systemd/system/bootfleet-health.service': '[Unit]\n',
  'etc/systemd/system/multi-user.target.wants/bootfleet-agent.service': {
    linkTo: '/usr/lib/systemd/system/x',
  },
  'usr/lib/systemd/system/boot-complete.target.requires/bootfleet-health.service': { linkTo: '../x' },
}

/** One line per finding, as the program prints it. */
async function lines(change: TreeFiles, profile: Profile = 'systemd-boot'): Promise<string[]> {
  const { root, close } = await unpackTree({ ...soundSystem, ...change })
  try {
    const findings = await findingsIn(openTree(root), profile)
    return findings.map(({ rule, severity, message }) => `${severity} ${rule}: ${message}`)
  } finally {
    await close()
  }
}

describe('a sound system', () => {
  test.each(profiles)('has no finding under %s', async (profile) => {
    expect(await lines({}, profile)).toEqual([])
  })

  test('has none with openSUSE’s layout: kernel beside its modules, /usr/etc in use, no os-release link', async () => {
    const suse: TreeFiles = {
      [`boot/vmlinuz-${kernelVersion}`]: { linkTo: `/${modules}/vmlinuz` },
      [`boot/initrd.img-${kernelVersion}`]: null,
      [`${modules}/vmlinuz`]: 'kernel',
      [`${modules}/initrd`]: 'initrd',
      'usr/etc/login.defs': 'UMASK 022\n',
      'usr/lib/os-release': 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20261101"\n',
      'usr/share/initramfs-tools/hooks/btrfs': null,
      'usr/lib/dracut/modules.d/70btrfs/module-setup.sh': '',
    }
    expect(await lines(suse, 'tukit-grub2')).toEqual([])
    expect(await lines(suse, 'systemd-boot')).toEqual([])
  })

  test('has none without the files that only the other loader needs', async () => {
    const withoutTukit = { 'usr/sbin/tukit': null, 'usr/lib64/libtukit.so.4': null, 'usr/bin/rsync': null }
    const withoutGrub = { 'usr/sbin/grub2-mkconfig': null, 'usr/sbin/pbl': null, 'usr/bin/dracut': null }
    expect(await lines({ ...withoutTukit, ...withoutGrub, '.snapshots/': null })).toEqual([])
    const withoutSystemdBoot = { 'usr/lib/systemd/boot/efi/systemd-bootx64.efi': null, 'efi/': null }
    expect(await lines({ ...withoutTukit, ...withoutGrub, ...withoutSystemdBoot }, 'grub')).toEqual([])
    const withoutInitrd = { [`boot/initrd.img-${kernelVersion}`]: null }
    expect(await lines({ ...withoutSystemdBoot, ...withoutInitrd }, 'tukit-grub2')).toEqual([])
  })

  test('has none with the whole agent in it', async () => {
    expect(await lines(agent)).toEqual([])
  })
})

const enabledTimer = 'etc/systemd/system/timers.target.wants/transactional-update.timer'

type Row = [finding: string, change: TreeFiles]
const both: Row[] = [
  ['error container-snap: nothing at /usr/bin/container-snap', { 'usr/bin/container-snap': null }],
  [
    'error container-snap: no program at /usr/bin/container-snap',
    { 'usr/bin/container-snap': 'not executable' },
  ],
  [
    'error container-snap-needs: no skopeo, flock',
    { 'usr/bin/skopeo': null, 'usr/bin/flock': 'not executable' },
  ],
  ['error kernel: no kernel', { [`boot/vmlinuz-${kernelVersion}`]: null }],
  [
    'error kernel: 2 kernels (6.1.0, 6.12.0-1-amd64)',
    {
      'usr/lib/modules/6.1.0/vmlinuz': 'kernel',
      'usr/lib/modules/6.1.0/modules.builtin': 'kernel/fs/btrfs/btrfs.ko\n',
    },
  ],
  ['error systemd: no /usr/lib/systemd/systemd', { 'usr/lib/systemd/systemd': null }],
  ['error systemd: no /sbin/init', { 'usr/sbin/init': null }],
  ['error network: none of NetworkManager', { 'usr/lib/systemd/systemd-networkd': null }],
  [
    'warning network-enabled: systemd-networkd is there but not enabled',
    { 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': null },
  ],
  [
    'warning network-enabled: systemd-networkd is there but not enabled',
    { 'etc/systemd/system/systemd-networkd.service': { linkTo: '/dev/null' } },
  ],
  [
    `error kernel-btrfs: kernel ${kernelVersion} has no btrfs`,
    { [`${modules}/modules.dep`]: 'kernel/fs/xfs/xfs.ko:\n' },
  ],
  ['warning initrd-btrfs: btrfs is no part', { 'usr/share/initramfs-tools/hooks/btrfs': null }],
  [
    "error fstab: /etc/fstab mounts 'LABEL=root / ext4 defaults 0 1'",
    { 'etc/fstab': '# x\nLABEL=root / ext4 defaults 0 1\n' },
  ],
  ['error directories: no folder /sys /tmp;', { 'sys/': null, 'tmp/': null, tmp: 'a file' }],
  ['warning mount-points: no folder /srv;', { 'srv/': null }],
  ['error os-release: no text', { 'usr/lib/os-release': '\n' }],
  ['error os-release: os-release has no ID', { 'usr/lib/os-release': 'ID=\nVERSION_ID=13\n' }],
  ['warning os-version: os-release has no VERSION_ID', { 'usr/lib/os-release': 'ID=debian\n' }],
  ['error machine-id: /etc/machine-id has an id', { 'etc/machine-id': '0123456789abcdef0123456789abcdef\n' }],
  [
    'error machine-id: /var/lib/dbus/machine-id has an id',
    { 'var/lib/dbus/machine-id': '0123456789abcdef0123456789abcdef\n' },
  ],
  [
    'error ssh-host-keys: /etc/ssh has ssh_host_rsa_key;',
    { 'etc/ssh/ssh_host_rsa_key': 'key', 'etc/ssh/ssh_host_rsa_key.pub': 'key' },
  ],
  ['error etc-usretc: both /etc and /usr/etc have content', { 'usr/etc/passwd': 'root' }],
  [
    'warning buildah-injected: the image builder left /etc/hostname and /etc/resolv.conf empty',
    { 'etc/hostname': '', 'etc/resolv.conf': '' },
  ],
  ['error persistent-data: /opt/tool/run:', { opt: null, 'opt/tool/run': 'x' }],
  [
    'error persistent-data: /root/notes /srv/www/a /usr/local/bin/tool:',
    { 'root/notes': 'x', 'srv/www/a': 'x', 'usr/local/bin/tool': { linkTo: '/usr/bin/tool' } },
  ],
  [
    'error persistent-data: /home/a/1 /home/a/2 /home/a/3 /home/a/4 /home/a/5 and 1 more:',
    Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`home/a/${n}`, 'x'])),
  ],
  ['warning var-content: /var/lib/mysql/ibdata1:', { 'var/lib/mysql/ibdata1': 'x' }],
  [
    'warning competing-updaters: transactional-update.timer is enabled',
    { [enabledTimer]: { linkTo: '/usr/lib/systemd/system/transactional-update.timer' } },
  ],
  [
    'warning bootfleet: bootfleet: bootfleet-health.service is not enabled',
    { ...agent, 'usr/lib/systemd/system/boot-complete.target.requires/bootfleet-health.service': null },
  ],
  [
    'warning bootfleet: bootfleet: /usr/bin/bootfleet-agent is missing, bootfleet-health.service is missing;',
    { ...agent, 'usr/bin/bootfleet-agent': null, 'usr/lib/systemd/system/bootfleet-health.service': null },
  ],
]
const systemdBoot: Row[] = [
  [
    'warning container-snap-units: container-snap-readonly.service is missing, container-snap-repair.service is not enabled;',
    {
      'usr/lib/systemd/system/container-snap-readonly.service': null,
      'etc/systemd/system/multi-user.target.wants/container-snap-repair.service': null,
    },
  ],
  ['warning snapper: /usr/bin/snapper is there', { 'usr/bin/snapper': { program: '' } }],
  [
    'error boot-loader: no /usr/lib/systemd/boot/efi/systemd-boot*.efi',
    { 'usr/lib/systemd/boot/efi/systemd-bootx64.efi': null },
  ],
  ['error directories: no folder /efi;', { 'efi/': null }],
  [`error initrd: ${kernelVersion} has no initrd`, { [`boot/initrd.img-${kernelVersion}`]: null }],
  [`error initrd: ${kernelVersion} has no initrd`, { [`boot/initrd.img-${kernelVersion}`]: '' }],
  [
    'error kernel-arguments: read /usr/lib/bootc/kargs.d/10-console.toml: unknown key kernel',
    {
      'usr/lib/bootc/kargs.d/00-quiet.toml': 'kargs = ["quiet"]\n',
      'usr/lib/bootc/kargs.d/10-console.toml': 'kernel = "x"\n',
    },
  ],
]
const tukitGrub2: Row[] = [
  ['error snapper: /usr/bin/snapper is there', { 'usr/bin/snapper': { program: '' } }],
  ['error transactional-update: neither tukit nor', { 'usr/sbin/tukit': null }],
  [
    'error transactional-update: transactional-update is there but not tukit',
    { 'usr/sbin/tukit': null, 'usr/sbin/transactional-update': { program: '' } },
  ],
  [
    'warning tukit-backend: /usr/lib64/libtukit.so.4 does not name',
    { 'usr/lib64/libtukit.so.4': 'ELF /usr/bin/snapper' },
  ],
  ['error boot-loader: no pbl;', { 'usr/sbin/pbl': null }],
  ['error rsync: no rsync', { 'usr/bin/rsync': null }],
  ['error dracut: no dracut', { 'usr/bin/dracut': null }],
  ['warning mount-points: no folder /.snapshots;', { '.snapshots/': null }],
]
const grub: Row[] = [
  [
    'error directories: no folder /boot;',
    {
      [`boot/vmlinuz-${kernelVersion}`]: null,
      [`boot/initrd.img-${kernelVersion}`]: null,
      [`${modules}/vmlinuz`]: 'kernel',
      [`${modules}/initrd`]: 'initrd',
    },
  ],
]
const cases = [
  ...profiles.flatMap((profile) => both.map((row) => [profile, ...row] as const)),
  ...systemdBoot.map((row) => ['systemd-boot', ...row] as const),
  ...grub.map((row) => ['grub', ...row] as const),
  ...tukitGrub2.map((row) => ['tukit-grub2', ...row] as const),
]

describe('one thing wrong', () => {
  test.each(cases)('%s: %s', async (profile, finding, change) => {
    const found = await lines(change, profile)
    expect(found.filter((line) => line.startsWith(finding))).toHaveLength(1)
    // A finding is no reason for another rule's, or one fault would look like many.
    const id = finding.split(':')[0]
    expect(found.filter((line) => line.split(':')[0] !== id)).toEqual([])
    expect(found[0]).toMatch(/^(error|warning) [a-z-]+: .+[;,:] .+[^.;]$/)
  })

  test('every rule has a row', () => {
    const seen = new Set(cases.map(([, finding]) => finding.split(/[ :]/)[1]))
    expect(rules.map((rule) => rule.id).filter((id) => !seen.has(id))).toEqual([])
  })
})

describe('links', () => {
  test('an absolute link leads to the tree’s own root, and none leads out of it', async () => {
    const { root, close } = await unpackTree({
      ...soundSystem,
      'etc/machine-id': { linkTo: '/../../../../../proc/sys/kernel/random/boot_id' },
      'etc/fstab': { linkTo: '../../../../../../../../proc/self/mounts' },
      'var/lib/data': { linkTo: '/proc/self' },
    })
    try {
      await mkdir(join(root, 'etc/secret'))
      await writeFile(join(root, 'etc/secret/file'), 'inside')
      const tree = openTree(join(root, 'etc/secret'))
      expect(await tree.bytes('../../../etc/secret/file')).toBeNull()
      expect((await tree.bytes('../file'))?.toString()).toBe('inside')
      expect(await findingsIn(openTree(root), 'systemd-boot')).toMatchObject([{ rule: 'var-content' }])
    } finally {
      await close()
    }
  })

  test('a link to itself is nothing', async () => {
    expect(await lines({ 'usr/lib/os-release': { linkTo: 'os-release' } })).toEqual([
      expect.stringContaining('error os-release: no text'),
    ])
  })
})
