import { expect, it } from 'vitest'
import { fstab } from './contents.ts'
import { parseSize, partitionTable, planDisk, sizeText } from './geometry.ts'

const mebibyte = 1024 * 1024

it('gives the ESP its size, and the root all that is left between the two tables', () => {
  const { esp, root } = planDisk(10 * 1024 * mebibyte + 12_345, 512 * mebibyte)
  expect(esp).toMatchObject({ startBytes: mebibyte, sizeBytes: 512 * mebibyte })
  expect(root).toMatchObject({ startBytes: 513 * mebibyte, sizeBytes: (10 * 1024 - 514) * mebibyte })
})

it('gives no two disks the same ids', () => {
  const ids = [planDisk(1024 * mebibyte, 64 * mebibyte), planDisk(1024 * mebibyte, 64 * mebibyte)].flatMap(
    ({ diskUuid, fileSystemUuid, esp, root }) => [diskUuid, fileSystemUuid, esp.uuid, root.uuid],
  )
  expect(new Set(ids).size).toBe(8)
})

it('refuses a disk with no room for the root, and an ESP that cannot be FAT32', () => {
  expect(() => planDisk(512 * mebibyte, 512 * mebibyte)).toThrow('a disk of 512M: 0M are left')
  expect(() => planDisk(1024 * mebibyte, 33 * mebibyte)).toThrow('34M is the least')
})

it('says which architecture the root is of, for what finds roots by their type', () => {
  const geometry = planDisk(1024 * mebibyte, 64 * mebibyte)
  const types = (architecture: string): string[] =>
    [...partitionTable(geometry, architecture).matchAll(/type=([0-9A-F]{8})/g)].map(([, type = '']) => type)
  expect(types('amd64')).toEqual(['C12A7328', '4F68BCE3'])
  expect(types('arm64')).toEqual(['C12A7328', 'B921B045'])
  expect(types('riscv64')).toEqual(['C12A7328', '0FC63DAF'])
})

it('reads sizes in binary units and nothing else', () => {
  expect(parseSize('size', '512M')).toBe(512 * mebibyte)
  expect(parseSize('size', '2T')).toBe(2 * 1024 * 1024 * mebibyte)
  for (const text of ['', '0G', '10', '10g', '1.5G', '-1G', '10GB'])
    expect(() => parseSize('size', text)).toThrow(`--size ${text}: not a size`)
  expect([sizeText(512 * mebibyte), sizeText(1536 * mebibyte)]).toEqual(['512M', '1.5G'])
})

it('mounts what stays by subvolume and the ESP only on demand, and keeps what the image mounts elsewhere', () => {
  const geometry = planDisk(1024 * mebibyte, 64 * mebibyte)
  const shipped =
    '# a comment\nLABEL=x / ext4 ro 0 1\ntmpfs /tmp tmpfs nosuid 0 0\n/dev/sda1 /efi vfat ro 0 0\n'
  const folders = [{ subvolume: '@var', path: '/var' }] as const
  expect(fstab(geometry, folders, shipped)).toBe(
    `UUID=${geometry.fileSystemUuid} /var btrfs subvol=@var,x-systemd.device-timeout=15min 0 0\n` +
      `PARTUUID=${geometry.esp.uuid} /efi vfat umask=0077,flush,noauto,x-systemd.automount,x-systemd.idle-timeout=1min 0 2\n` +
      'tmpfs /tmp tmpfs nosuid 0 0\n',
  )
})
