import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Installer } from '../testing/installer.ts'
import { bootableTree, leftovers, openInstaller, readTable } from '../testing/installer.ts'

let installer: Installer
let image: string
let before: string[]

const small = ['--size', '512M', '--esp-size', '64M'] as const

beforeAll(async () => {
  installer = await openInstaller()
  image = `oci-archive:${installer.archive}`
})
beforeEach(async () => {
  before = await readdir(installer.folder)
})
/** Whatever a test did, its failure may have left nothing. */
afterEach(async () => {
  const left = await leftovers(installer.folder)
  if (left.length > 0) throw new Error(`left: ${left.join('\n')}`)
})
afterAll(async () => installer.close())

const disk = (name: string): string => join(installer.folder, name)

async function newFiles(): Promise<string[]> {
  return (await readdir(installer.folder)).filter((name) => !before.includes(name))
}

const zeros = (mebibytes: number): string => '\0'.repeat(mebibytes * 1024 * 1024)

it.each([
  ['usr/lib/modules/6.12.0/vmlinuz', 'kernel'],
  ['usr/lib/systemd/boot/efi/systemd-bootx64.efi', 'systemd-boot'],
])('refuses an image without %s, and leaves no disk', async (path, named) => {
  const file = await installer.makeArchive(`without-${named}`, { ...bootableTree, [path]: null })
  before = await readdir(installer.folder)
  const outcome = await installer.run(`oci-archive:${file}`, disk('none.raw'), ...small)
  expect(outcome).toMatchObject({ status: 4, stdout: '' })
  expect(outcome.stderr).toContain(named)
  expect(await newFiles()).toEqual([])
})

it('says that the disk is too small when the image does not fit, and leaves none', async () => {
  const file = await installer.makeArchive('big', { ...bootableTree, 'usr/share/big': zeros(300) })
  before = await readdir(installer.folder)
  const outcome = await installer.run(
    `oci-archive:${file}`,
    disk('small.raw'),
    '--size',
    '340M',
    '--esp-size',
    '40M',
  )
  expect(outcome).toMatchObject({ status: 8 })
  expect(outcome.stderr).toMatch(/does not fit on a disk of 340M; take a bigger one\n?$/)
  expect(await newFiles()).toEqual([])
}, 180_000)

it('says that an ESP is too small for the kernel', async () => {
  const files = { ...bootableTree, 'usr/lib/modules/6.12.0/initrd': zeros(20) }
  const file = await installer.makeArchive('fat-initrd', files)
  before = await readdir(installer.folder)
  const outcome = await installer.run(
    `oci-archive:${file}`,
    disk('esp.raw'),
    '--size',
    '512M',
    '--esp-size',
    '40M',
  )
  expect(outcome.status).toBe(8)
  expect(outcome.stderr).toContain('--esp-size')
  expect(await newFiles()).toEqual([])
})

it('unmounts, detaches and removes the half-made disk when it is interrupted, wherever that is', async () => {
  const options = [image, disk('cut.raw'), ...small] as const
  for (const afterMs of [0, 20, 50, 100, 200, 400]) {
    const running = installer.start(...options)
    await expect.poll(newFiles, { timeout: 30_000, interval: 5 }).not.toEqual([])
    await sleep(afterMs)
    running.interrupt()
    const outcome = await running.outcome
    if (outcome.status === 0) break // a fast machine
    expect(outcome).toMatchObject({ status: 130, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: install to .*cut\.raw: interrupted by a signal\n?$/)
    expect(await newFiles()).toEqual([])
    expect(await leftovers(installer.folder)).toEqual([])
  }
}, 180_000)

it('does not touch a file that is there without --wipe, and replaces it only when the new one is whole', async () => {
  await writeFile(disk('mine.raw'), 'precious')
  const refused = await installer.run(image, disk('mine.raw'), ...small)
  expect(refused).toMatchObject({ status: 4 })
  expect(refused.stderr).toContain('--wipe')
  const missing = await installer.run(`oci-archive:${disk('no.tar')}`, disk('mine.raw'), ...small, '--wipe')
  expect(missing.status).not.toBe(0)
  expect(await readFile(disk('mine.raw'), 'utf8')).toBe('precious')
  expect(await installer.run(image, disk('mine.raw'), ...small, '--wipe')).toMatchObject({ status: 0 })
  expect(await readTable(disk('mine.raw'))).toHaveLength(2)
})

it('installs to a block device only with --wipe where there is something on it, and leaves no table when it fails', async () => {
  const file = disk('device.img')
  await execa('truncate', ['--size', '512M', file])
  const device = (await execa('losetup', ['--find', '--show', file])).stdout
  try {
    const options = ['--esp-size', '64M'] as const
    await execa('mkfs.btrfs', ['--quiet', device])
    const refused = await installer.run(image, device, ...options)
    expect(refused).toMatchObject({ status: 4 })
    expect(refused.stderr).toContain('something on it (btrfs); --wipe destroys it')
    expect(await installer.run(image, device, ...options, '--wipe')).toMatchObject({ status: 0, stderr: '' })
    expect(await readTable(device)).toHaveLength(2)
    const failed = await installer.run(`oci-archive:${disk('no.tar')}`, device, ...options, '--wipe')
    expect(failed.status).toBe(6)
    await expect(readTable(device)).rejects.toThrow('sfdisk')
    const sized = await installer.run(image, device, ...small)
    expect(sized).toMatchObject({ status: 2 })
  } finally {
    await execa('losetup', ['--detach', device])
  }
})

it.each(['qcow2', 'vhd', 'vmdk'])('makes a %s with the same disk in it', async (format) => {
  const path = disk(`disk.${format}`)
  const made = await installer.run(image, path, ...small, '--format', format)
  expect(made).toMatchObject({ status: 0, stderr: '' })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const raw = disk(`${format}.raw`)
  const driver = format === 'vhd' ? 'vpc' : format
  await execa('qemu-img', ['convert', '-f', driver, '-O', 'raw', path, raw])
  expect((await stat(raw)).size).toBe(512 * 1024 * 1024)
  expect(await readTable(raw)).toMatchObject([{ name: 'ESP' }, { name: 'bootfleet' }])
  expect(await newFiles()).toEqual([`disk.${format}`, `${format}.raw`])
})

it('finds every wrong option before it writes anything', async () => {
  const wrong: readonly (readonly [option: string, value: string, found: string])[] = [
    ['--size', '10', 'not a size'],
    ['--format', 'iso', 'not one of raw, qcow2, vhd, vmdk'],
    ['--karg', 'two words', 'not one word'],
    ['--hostname', 'a_b', 'not a host name'],
    ['--identity', '/nowhere', '/nowhere'],
    ['--identity', '/usr', 'none of key.pem'],
    ['--agent-config', '/nowhere', '/nowhere'],
    ['--root-ssh-authorized-keys', '/nowhere', '/nowhere'],
  ]
  for (const [option, value, found] of wrong) {
    const outcome = await installer.run(image, disk('wrong.raw'), option, value)
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toContain(found)
  }
  expect(await newFiles()).toEqual([])
})
