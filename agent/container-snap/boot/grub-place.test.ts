import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openBootFiles } from '../testing/boot-files.ts'
import { inspectGrubPlace } from './grub-place.ts'
import { openGrub } from './grub.ts'

/** Real file systems on loop devices; what is put between is taken away in reverse order. */
describe('the place where GRUB counts', () => {
  let base = ''
  let undo: (() => Promise<unknown>)[] = []
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'container-snap-grub-place-'))
    undo = [async () => rm(base, { recursive: true, force: true })]
  })
  afterEach(async () => {
    for (const step of undo.toReversed()) await step()
  })
  const image = (): string => join(base, 'disk.img')
  const attach = async (sizeMiB: number): Promise<string> => {
    await writeFile(image(), '')
    await truncate(image(), sizeMiB * 1024 * 1024)
    const { stdout: device } = await execa('losetup', ['--find', '--show', image()])
    undo.push(async () => execa('losetup', ['--detach', device]))
    return device
  }
  const mounted = async (device: string, make: readonly string[]): Promise<string> => {
    await execa(make[0] ?? '', [...make.slice(1), device])
    const directory = join(base, 'boot')
    await mkdir(directory)
    await execa('mount', [device, directory])
    undo.push(async () => execa('umount', [directory]))
    return directory
  }

  test.each([
    ['ext4', 16, ['mkfs.ext4', '-q']],
    ['ext2', 16, ['mkfs.ext2', '-q']],
  ])('%s on a plain device can be written', async (_kind, sizeMiB, make) => {
    const directory = await mounted(await attach(sizeMiB), make)
    expect(await inspectGrubPlace(directory)).toEqual({ module: 'ext2', prefix: '', unwritable: null })
    await mkdir(join(directory, 'some/folder'), { recursive: true })
    expect(await inspectGrubPlace(join(directory, 'some/folder'))).toMatchObject({ prefix: '/some/folder' })
  })

  test('btrfs cannot, and its path begins at its top', async () => {
    const directory = await mounted(await attach(128), ['mkfs.btrfs', '--quiet'])
    await execa('btrfs', ['subvolume', 'create', join(directory, '@boot')])
    await mkdir(join(base, 'at'))
    const { stdout: device } = await execa('findmnt', ['-no', 'SOURCE', directory])
    await execa('mount', ['-o', 'subvol=@boot', device, join(base, 'at')])
    undo.push(async () => execa('umount', [join(base, 'at')]))
    expect(await inspectGrubPlace(join(base, 'at'))).toEqual({
      module: 'btrfs',
      prefix: '/@boot',
      unwritable: `${join(base, 'at')} is btrfs, to which GRUB cannot write`,
    })
  })

  test('a file system that GRUB does not know cannot', async () => {
    const directory = join(base, 'boot')
    await mkdir(directory)
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', directory])
    undo.push(async () => execa('umount', [directory]))
    expect((await inspectGrubPlace(directory)).unwritable).toContain('is tmpfs, which GRUB does not know')
  })

  test.each([
    ['LVM', 'LVM-x'],
    ['encrypted', 'CRYPT-LUKS2-x'],
    ['made by the device mapper', 'other'],
    [null, 'part1-mpath-x'],
  ])('a device mapper’s device is told from a plain one: %s', async (what, uuid) => {
    const device = await attach(16)
    const name = `container-snap-${process.pid}`
    const made = await execa(
      'dmsetup',
      ['create', name, '--uuid', `${uuid}-${process.pid}`, '--table', `0 32768 linear ${device} 0`],
      {
        reject: false,
      },
    )
    // Some containers have no device mapper.
    if (made.exitCode !== 0) return
    undo.push(async () => execa('dmsetup', ['remove', '--retry', name]))
    await execa('dmsetup', ['mknodes'])
    const directory = await mounted(`/dev/mapper/${name}`, ['mkfs.ext4', '-q'])
    const { unwritable } = await inspectGrubPlace(directory)
    expect(unwritable).toBe(
      what === null
        ? null
        : `${directory} is ext4 on /dev/mapper/${name}, which is ${what}: GRUB can only read there`,
    )
  })

  test('what is written is where GRUB reads it when the power goes, without the journal', async () => {
    const directory = await mounted(await attach(64), ['mkfs.ext4', '-q'])
    await mkdir(join(directory, 'grub'))
    await writeFile(join(directory, 'grub/grub.cfg'), 'source ${config_directory}/custom.cfg\n')
    const roots = await openBootFiles()
    undo.push(roots.close)
    const loader = openGrub(
      { signal: new AbortController().signal },
      {
        bootDirectory: directory,
        configDirectory: join(directory, 'grub'),
        tries: 3,
        unguarded: false,
        rootUuid: 'f00d',
        kernelArguments: [],
      },
    )
    const one = await roots.deployment('a', 1)
    await loader.stage(one)
    await loader.activate(one, { activation: 1, counted: true })
    const cut = join(base, 'cut.img')
    await copyFile(image(), cut)
    const seen = async (path: string): Promise<string> =>
      (await execa('grub-fstest', [cut, 'cat', `(loop0)${path}`], { stripFinalNewline: false })).stdout
    for (const path of ['bootfleet/entries.cfg', 'bootfleet/env', 'grub/custom.cfg']) {
      expect(await seen(`/${path}`)).toBe(await readFile(join(directory, path), 'utf8'))
    }
    const uuid = (await execa('findmnt', ['-no', 'UUID', directory])).stdout
    expect(await seen('/grub/custom.cfg')).toContain(`--set=bootfleet_device ${uuid}\n`)
  })
})
