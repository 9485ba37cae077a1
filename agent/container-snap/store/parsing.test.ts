import { describe, expect, test } from 'vitest'
import { goTime } from '../commands/list.ts'
import { parseCreationTimes, parseDefaultId, parseSubvolumes } from './btrfs.ts'
import { mountHolding } from './inventory.ts'
import { acceptedDigests, parseManifest } from './manifest.ts'
import { parseMountinfo } from './mounts.ts'
import { nextCopyNumber } from './snapshots.ts'

const layer = 'a'.repeat(64)

describe('what other programs print', () => {
  test('subvolumes, with and without creation times between', () => {
    const plain = 'ID 256 gen 8 top level 5 uuid 0f30290b-a980 path @var\n'
    const read = 'ID 257 gen 9 cgen 9 top level 256 otime 2026-11-21 06:02:49 uuid 882c-1 path lib/a path b\n'
    expect(parseSubvolumes(plain + read)).toEqual([
      { id: 256, uuid: '0f30290b-a980', path: '@var' },
      { id: 257, uuid: '882c-1', path: 'lib/a path b' },
    ])
    expect(parseCreationTimes(read)).toEqual(new Map([[257, '2026-11-21T06:02:49Z']]))
  })

  test('the default subvolume, the top level too', () => {
    expect(parseDefaultId('ID 5 (FS_TREE)\n')).toBe(5)
    expect(parseDefaultId('ID 259 gen 13 top level 256 path @var/x\n')).toBe(259)
    expect(parseDefaultId('ERROR')).toBeNull()
  })

  test('mounts, with blanks in paths and none of btrfs', () => {
    const text = [
      '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '43 22 0:39 /@a\\040b /mnt/x\\040y rw,relatime shared:1 - btrfs /dev/loop0 rw,subvolid=257,subvol=/@a b',
      'nonsense',
    ].join('\n')
    const mounts = parseMountinfo(text)
    expect(mounts).toEqual([
      { mountPoint: '/', root: '/', fileSystem: 'ext4', source: '/dev/sda1', subvolumeId: null },
      { mountPoint: '/mnt/x y', root: '/@a b', fileSystem: 'btrfs', source: '/dev/loop0', subvolumeId: 257 },
    ])
    expect(mountHolding(mounts, '/mnt/x y/z')?.subvolumeId).toBe(257)
    expect(mountHolding(mounts, '/mnt/x yz')?.mountPoint).toBe('/')
  })

  test('an index accepts its manifests, a manifest only itself', () => {
    const entry = { digest: 'sha256:m', platform: { os: 'linux', architecture: 'amd64' } }
    const index = parseManifest(Buffer.from(JSON.stringify({ manifests: [entry] })))
    expect(index && acceptedDigests(index)).toEqual(['sha256:m'])
    const raw = Buffer.from(
      JSON.stringify({ config: { digest: 'sha256:c', size: 5 }, layers: [{ digest: 'sha256:l', size: 7 }] }),
    )
    const manifest = parseManifest(raw)
    expect(manifest).toMatchObject({ kind: 'manifest', configDigest: 'sha256:c' })
    expect(manifest && acceptedDigests(manifest)).toEqual([manifest?.digest])
    expect(parseManifest(Buffer.from('<html>'))).toBeNull()
    expect(parseManifest(Buffer.from('{}'))).toBeNull()
  })
})

describe('what container-snap prints', () => {
  test.each([
    ['2025-01-09T10:47:31.818647723Z', '2025-01-09 10:47:31.818647723 +0000 UTC'],
    ['2025-01-09T10:47:31.500Z', '2025-01-09 10:47:31.5 +0000 UTC'],
    ['2025-01-09T10:47:31Z', '2025-01-09 10:47:31 +0000 UTC'],
    ['2025-01-09T10:47:31.25+02:00', '2025-01-09 08:47:31.25 +0000 UTC'],
    ['', '0001-01-01 00:00:00 +0000 UTC'],
  ])('%j as Go does: %s', (timestamp, text) => {
    expect(goTime(timestamp)).toBe(text)
  })

  test('the next number is one above all copies of the same layer, numbers compared as numbers', () => {
    const names = [layer, `${layer}-work9`, `${layer}-work10`, `${'b'.repeat(64)}-work40`, `${layer}-workx`]
    expect(nextCopyNumber(names, layer)).toBe(11)
    expect(nextCopyNumber([], layer)).toBe(1)
  })
})
