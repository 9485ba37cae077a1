import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { layerOf, layerUnder } from './device-layer.ts'

let sys = ''
beforeEach(async () => {
  sys = await mkdtemp(join(tmpdir(), 'bootfleet-adopt-layer-'))
})
afterEach(async () => rm(sys, { recursive: true, force: true }))

test.each([
  ['a disk', 'sda', {}, null],
  ['a partition', 'sda/sda1', { partition: '1\n' }, null],
  ['a partition of a RAID', 'md0/md0p1', { partition: '1\n' }, 'RAID'],
  ['bcache', 'bcache0', {}, 'bcache'],
  ['LVM', 'dm-0', { 'dm/uuid': 'LVM-abc\n' }, 'LVM'],
  ['LUKS', 'dm-0', { 'dm/uuid': 'CRYPT-LUKS2-abc\n' }, 'encryption (LUKS)'],
  ['several ways to one disk', 'dm-0', { 'dm/uuid': 'part1-mpath-abc\n' }, null],
  ['what else is mapped', 'dm-0', {}, 'the device mapper'],
])('says what GRUB cannot write through: %s', async (_, device, files: Record<string, string>, layer) => {
  const folder = join(sys, device)
  await mkdir(join(folder, 'dm'), { recursive: true })
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text)
  expect(await layerOf(folder)).toBe(layer)
})

test('what is no block device is none', async () => {
  expect(await layerUnder('tmpfs')).toBe('no block device')
  expect(await layerUnder('/dev/null')).toBe('no block device')
})
