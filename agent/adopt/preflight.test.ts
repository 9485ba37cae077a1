import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Facts } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { preflight } from './preflight.ts'
import { REFUSALS } from './refusals.ts'
import type { RefusalCode } from './refusals.ts'
import { preflightLines } from './words.ts'

const sound: Facts = {
  image: {
    reference: `example.org/os@sha256:${'a'.repeat(64)}`,
    digest: `sha256:${'a'.repeat(64)}`,
    bytes: 9,
  },
  system: 'Debian',
  firmware: 'UEFI',
  loader: { kind: 'systemd-boot', esp: '/efi', default: null, firmwareDefault: false, before: [] },
  kernelArguments: ['root=UUID=1', 'rootflags=compress=zstd,subvol=@rootfs', 'quiet', 'console=ttyS0'],
  root: { fileSystem: 'btrfs', uuid: '1', subvolume: '/@rootfs', subvolumeId: 256, defaultId: 5 },
  folders: [
    { path: '/var', found: 'folder', subvolume: null },
    { path: '/home', found: 'mounted', subvolume: '/@home' },
    { path: '/root', found: 'missing', subvolume: null },
    { path: '/srv', found: 'nested', subvolume: '/@rootfs/srv' },
    { path: '/opt', found: 'link', subvolume: null },
    { path: '/usr/local', found: 'elsewhere', subvolume: null },
  ],
  apart: [],
  fstab: [{ device: 'UUID=1', at: '/', type: 'btrfs', options: 'subvol=@rootfs' }],
  nested: ['var/lib/machines'],
  taken: [],
  store: 'none',
  podman: null,
  adoption: 'none',
  seLinux: 'none',
  encrypted: false,
  snapper: false,
  updaters: [],
  outside: ['/data'],
  people: ['ann'],
  hostKeys: ['ssh_host_ed25519_key'],
  network: ['netplan'],
  missingPrograms: [],
  room: {
    disk: { freeBytes: 100, neededBytes: 99 },
    boot: { freeBytes: 100, neededBytes: 99 },
  },
}

/** Facts for which each refusal is the one that is made. */
const refused: Readonly<Record<RefusalCode, Partial<Facts>>> = {
  'adoption-begun': { adoption: 'begun' },
  'root-is-deployment': {
    root: { ...sound.root, subvolume: '/@var/lib/container-snap/snapshots/btrfs/subvolumes/a-work1' },
  },
  'root-not-btrfs': { root: { ...sound.root, fileSystem: 'ext4' } },
  'root-follows-default': { kernelArguments: ['root=UUID=1', 'rootflags=compress=zstd'] },
  'root-encrypted': { encrypted: true },
  'part-of-root-apart': { apart: ['/usr'] },
  'loader-unknown': { loader: { kind: 'other' } },
  'tries-without-place': {
    loader: { kind: 'grub', config: '/boot/grub', boot: null, layer: null, readsCustom: true },
  },
  'grub-reads-nothing': {
    loader: { kind: 'grub', config: '/boot/grub', boot: '/boot', layer: null, readsCustom: false },
  },
  'tries-behind-layer': {
    loader: { kind: 'grub', config: '/boot/grub', boot: '/boot', layer: 'LVM', readsCustom: true },
  },
  'argument-for-grub': {
    loader: { kind: 'grub', config: '/boot/grub', boot: '/boot', layer: null, readsCustom: true },
    kernelArguments: ['rootflags=subvol=@', "video='a"],
  },
  'loader-default': {
    loader: { kind: 'systemd-boot', esp: '/efi', default: null, firmwareDefault: true, before: [] },
  },
  'entry-first': {
    loader: {
      kind: 'systemd-boot',
      esp: '/efi',
      default: null,
      firmwareDefault: false,
      before: ['a.conf (arch)'],
    },
  },
  'boot-full': { room: { ...sound.room, boot: { freeBytes: 1, neededBytes: 2 } } },
  'disk-full': { room: { ...sound.room, disk: { freeBytes: 1, neededBytes: 2 } } },
  'subvolume-taken': { taken: ['@adopted-var'] },
  'subvolumes-inside': { nested: ['var/lib/containers/storage/btrfs/subvolumes/x'] },
  'store-there': { store: 'there' },
  'store-shared': { store: "podman's" },
  'selinux-enforcing': { seLinux: 'enforcing' },
  'programs-missing': { missingPrograms: ['skopeo'] },
}

describe('the preflight of an adoption', () => {
  test('a sound machine is refused nothing, and is told what changes', () => {
    const result = preflight(sound)
    expect(result.findings.filter(({ kind }) => kind === 'refuse')).toEqual([])
    expect(preflightLines(result).join('\n')).toMatchInlineSnapshot(`
      "image       example.org/os@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

      ok          Debian, started by UEFI
      ok          the root is the subvolume /@rootfs
      ok          the kernel was told which subvolume its root is, so the old root can be booted whatever the default is
      change      kernel arguments of this machine: console=ttyS0
                  → go into every boot entry
      note        other kernel arguments: quiet
                  → not carried over: the image has its own
      ok          systemd-boot, which reads /efi
      change      /var is a folder of the root
                  → copied, sharing its blocks, into a new subvolume that the new root mounts; what changes in /var after that stays in the old root
      ok          /home is the subvolume /@home, and stays so
      change      there is no /root
                  → a new, empty subvolume that the new root mounts
      change      /srv is the subvolume /@rootfs/srv, which nothing mounts
                  → the new root mounts it
      note        /opt is a link
                  → what it leads to is kept only where that is kept
      ok          /usr/local is on a file system of its own, and stays so
      ok          there is room for the image

      kept
        folders: /var, /home, /root, /srv, /usr/local
        /etc/fstab without the line of /: 0 lines
        machine-id, hostname, resolv.conf, crypttab, the configuration of bootfleet
        network configuration: netplan
        ssh host keys: ssh_host_ed25519_key
        accounts: root (password, keys), ann
      left in the old root
        all else in /etc (kept in /var/lib/bootfleet/adopted-etc; \`adopt --list-etc\` compares), all packages
        /data: it lies in the root; move it to /srv or /var before

      fingerprint 3617112302e6ae850b2bb92c7679dac1cc0eea3352e8a64e443a56b861af85d6
      Nothing was changed. To do it: the same command with --approve and this fingerprint in place of --dry-run."
    `)
  })

  test.each(Object.keys(refused) as RefusalCode[])('%s is refused, with what to do', (code) => {
    const result = preflight({ ...sound, ...refused[code] })
    const found = result.findings.filter((finding) => finding.kind === 'refuse')
    expect(found.map((finding) => finding.code)).toEqual([code])
    expect(found[0]?.found.startsWith(REFUSALS[code].found)).toBe(true)
    const text = preflightLines(result).join('\n')
    expect(text).toContain(REFUSALS[code].remedy)
    expect(text).not.toContain('--approve and')
  })

  test('what is only noted does not stop it', () => {
    const result = preflight({
      ...sound,
      seLinux: 'permissive',
      snapper: true,
      encrypted: true,
      kernelArguments: [...sound.kernelArguments, 'rd.luks.name=1=root'],
      updaters: ['dnf-automatic.timer'],
      podman: { place: '/data/containers', driver: 'overlay' },
      loader: { kind: 'grub', config: '/boot/grub2', boot: '/boot', layer: null, readsCustom: true },
      folders: [{ path: '/var', found: 'elsewhere', subvolume: null }],
      fstab: [
        { device: '/swapfile', at: 'none', type: 'swap', options: 'sw' },
        { device: 'UUID=1', at: '/.snapshots', type: 'btrfs', options: 'subvol=@/.snapshots' },
        { device: 'UUID=1', at: '/boot/grub2/i386-pc', type: 'btrfs', options: 'subvol=@/boot' },
        { device: 'UUID=2', at: '/data', type: 'xfs', options: 'defaults' },
      ],
      room: { disk: sound.room.disk, boot: null },
    })
    const said = result.findings.map((finding) => `${finding.kind}: ${finding.found}`)
    expect(said).toEqual(
      expect.arrayContaining([
        'note: SELinux is permissive',
        'note: dnf-automatic.timer is enabled',
        'note: snapper makes snapshots here',
        'note: /etc/fstab mounts /data',
        'note: podman has images and containers in /data/containers (driver overlay)',
        'ok: the root is encrypted (LUKS), and the kernel was told how to open it',
        'convert: the file system of /var cannot hold the store',
      ]),
    )
    expect(said.filter((line) => line.startsWith('refuse'))).toEqual([])
    expect(result.left).toContain('the line of /.snapshots in /etc/fstab: snapper is not carried over')
    expect(result.left).toContain('the line of none in /etc/fstab: /swapfile is in the old root')
  })

  test('the fingerprint is the same for what means the same, and another for all else', () => {
    const { room } = sound
    const print = fingerprintOf(sound)
    expect(fingerprintOf({ ...sound, room: { ...room, disk: { freeBytes: 5_000, neededBytes: 99 } } })).toBe(
      print,
    )
    expect(fingerprintOf(Object.fromEntries(Object.entries(sound).toReversed()) as Facts)).toBe(print)
    expect(fingerprintOf({ ...sound, room: { ...room, disk: { freeBytes: 98, neededBytes: 99 } } })).not.toBe(
      print,
    )
    expect(fingerprintOf({ ...sound, people: [] })).not.toBe(print)
  })

  test('secrets on the kernel’s line are not said', () => {
    const secrets = ['rd.iscsi.password=s3cret', 'netroot=iscsi:kim:s3cret@h::::iqn', 'token.secret=s3cret']
    const said = preflightLines(
      preflight({ ...sound, kernelArguments: [...sound.kernelArguments, ...secrets] }),
    )
    expect(said.join('\n')).toContain('rd.iscsi.password=… netroot=iscsi:…@h::::iqn')
    expect(said.join('\n')).not.toContain('s3cret')
  })

  test('the guide has a row for each refusal, in its words', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/adopt.md'), 'utf8')
    const rows = [...guide.matchAll(/^\| `([a-z-]+)` \| (.*?) \| (.*) \|$/gm)].map((match) => match.slice(1))
    const table = Object.entries(REFUSALS).map(([code, { found, remedy }]) => [code, found, remedy])
    expect(rows).toEqual(table)
  })
})
