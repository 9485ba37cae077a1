import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { carriedAccounts } from './accounts.ts'
import { placeIn } from './carry.ts'
import { fstabOfNewRoot } from './fstab.ts'
import { namesSubvolume, opensLuks, sortArguments } from './kernel-arguments.ts'

test('people are carried over with their groups, and system accounts are not', () => {
  const here = {
    passwd:
      'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n',
    group: 'sudo:x:27:ann,bob\nlocal:x:990:ann\nann:x:1000:\nteam:x:1500:ann\nadm:x:4:syslog\n',
    shadow: 'root:$6$r:1::::::\nann:$6$a:1::::::\nsshd:!:1::::::\n',
    gshadow: 'sudo:*::ann\nann:!::\n',
    subuid: 'ann:100000:65536\nann:300000:65536\ndnsmasq:1:1\n',
    subgid: '# nobody\n',
  }
  expect(
    carriedAccounts(here, { group: 'sudo:x:30:carl\nadm:x:4:\n', shadow: 'root:*:19000:0:9:7:::\n' }),
  ).toEqual({
    passwd: 'ann:x:1000:1000::/home/ann:/bin/sh\n',
    group: 'ann:x:1000:\nteam:x:1500:ann\nsudo:x:30:carl,ann\n',
    shadow: 'root:$6$r:19000:0:9:7:::\nann:$6$a:1::::::\n',
    gshadow: 'ann:!::\n',
    subuid: 'ann:100000:65536\nann:300000:65536\n',
    subgid: '',
  })
  expect(carriedAccounts({ ...here, shadow: '' }, { group: '', shadow: '' }).shadow).toBe('')
})

test('the new fstab has its own mounts first, and no line of what stays behind', () => {
  const before = [
    '# as installed',
    'UUID=1 / btrfs subvol=root 0 0',
    'UUID=1 /.snapshots btrfs subvol=x 0 0',
    'UUID=1 /boot/grub2/i386-pc btrfs subvol=y 0 0',
    '/swapfile none swap sw 0 0',
    '/var/swap none swap sw 0 0',
    'UUID=2 /data xfs defaults 0 0',
  ].join('\n')
  expect(fstabOfNewRoot(before, '1', [{ at: '/var', subvolume: '@adopted-var' }])).toBe(
    [
      'UUID=1 /var btrfs subvol=@adopted-var,x-systemd.device-timeout=15min 0 0',
      '# as installed',
      '/var/swap none swap sw 0 0',
      'UUID=2 /data xfs defaults 0 0',
      '',
    ].join('\n'),
  )
})

test('kernel arguments of this machine are told from those of its old root', () => {
  const words = [
    'BOOT_IMAGE=/vmlinuz',
    'root=UUID=1',
    'ro',
    'quiet',
    'console=ttyS0,115200',
    'rd.luks.uuid=luks-1',
  ]
  expect(sortArguments(words)).toEqual({
    own: ['console=ttyS0,115200', 'rd.luks.uuid=luks-1'],
    dropped: ['quiet'],
  })
  expect([namesSubvolume(words), opensLuks(words)]).toEqual([false, true])
  expect(namesSubvolume(['rootflags=noatime,subvolid=256'])).toBe(true)
  expect(opensLuks(['quiet'])).toBe(false)
})

test("a folder is mounted where an image's link leads, which is never out of the image", async () => {
  const image = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-links-'))
  await mkdir(join(image, 'usr/local'), { recursive: true })
  await symlink('/var/home', join(image, 'home'))
  await symlink('var/opt', join(image, 'opt'))
  await symlink('../../etc', join(image, 'usr/out'))
  await symlink('loop', join(image, 'loop'))
  const paths = ['/home', '/home/ann', '/opt', '/usr/local', '/usr/out/x', '/data/new', '/loop']
  expect(await Promise.all(paths.map(async (path) => placeIn(image, path)))).toEqual([
    '/var/home',
    '/var/home/ann',
    '/var/opt',
    '/usr/local',
    '/etc/x',
    '/data/new',
    '/loop',
  ])
  await rm(image, { recursive: true })
})
