import { mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { openBootFiles, systemOf } from '../testing/boot-files.ts'
import type { Loader } from './loader.ts'
import { openSystemdBoot } from './systemd-boot.ts'

const context = { signal: new AbortController().signal }

describe('systemd-boot refuses, and writes nothing', () => {
  let files: BootFiles
  let loader: Loader
  beforeEach(async () => {
    files = await openBootFiles(128)
    loader = openSystemdBoot(context, files.options)
  })
  afterEach(async () => files.close())

  test('where the ESP is not mounted', async () => {
    await rm(join(files.esp, 'loader'), { recursive: true })
    await mkdir(join(files.esp, 'lost'))
    const one = await files.deployment('a', 1)
    const acts = [
      () => loader.stage(one),
      () => loader.activate(one, { activation: 1, counted: true }),
      () => loader.bless(one),
      () => loader.markBad(one),
      () => loader.keepOnly([]),
      () => loader.entries(),
      () => loader.repair([]),
    ]
    for (const act of acts) {
      await expect(act()).rejects.toMatchObject({
        code: 'storage-failed',
        message:
          `open the EFI system partition ${files.esp}: no EFI and no loader folder in it; ` +
          'mount it there, or name its place in machine.json, loader.esp',
      })
    }
    expect(await readdir(files.esp)).toEqual(['lost'])
  })

  test('where kernel and initrd do not fit, naming what is needed and what is free', async () => {
    const big = { ...systemOf('b'), 'boot/initrd.img-6.12': 'x'.repeat(200 * 1024) }
    const staging = loader.stage(await files.deployment('b', 1, big))
    await expect(staging).rejects.toMatchObject({ code: 'no-space' })
    await expect(staging).rejects.toThrow(
      /kernel and initrd need 225280 bytes on the EFI system partition \S+ and \d+ are free; free some with container-snap gc/,
    )
    expect(await files.content()).toEqual({})
  })

  test('but makes room first by removing kernels that no entry names', async () => {
    const half = (letter: string): Readonly<Record<string, string>> => ({
      ...systemOf(letter),
      'boot/initrd.img-6.12': letter.repeat(60 * 1024),
    })
    const [one, two] = [await files.deployment('a', 1, half('a')), await files.deployment('b', 1, half('b'))]
    await loader.stage(one)
    await expect(loader.stage(two)).rejects.toMatchObject({ code: 'no-space' })
    await rm(join(files.esp, 'loader/entries/bootfleet-aaaaaaaaaaaa-1.staged'))
    await loader.stage(two)
    expect(await files.entries()).toEqual(['bootfleet-bbbbbbbbbbbb-1.staged'])
    expect((await readdir(join(files.esp, 'bootfleet'))).length).toBe(2)
  })

  test.each([
    [
      'no kernel',
      {},
      /no \/usr\/lib\/modules\/\*\/vmlinuz and no \/boot\/vmlinuz-\*; install a kernel in the image/,
    ],
    ['two kernels', { 'boot/vmlinuz-6.1': 'x' }, /more than one, 6\.1 and 6\.12; leave one in the image/],
    [
      'a kernel without initrd',
      { 'boot/initrd.img-6.12': '' },
      /6\.12 has no initrd: none of .*\/boot\/initrd\.img-6\.12/,
    ],
    [
      'an argument file it does not understand',
      { 'usr/lib/bootc/kargs.d/1.toml': 'karg = []' },
      /1\.toml: unknown key karg/,
    ],
  ])('an image with %s', async (name, change, message) => {
    const tree = name === 'no kernel' ? { 'etc/os-release': 'ID=x\n' } : { ...systemOf('a'), ...change }
    const staging = loader.stage(await files.deployment('a', 1, tree))
    await expect(staging).rejects.toMatchObject({ code: 'refused' })
    await expect(staging).rejects.toThrow(message)
    expect(await files.content()).toEqual({})
  })

  test('no look at the entries while another one renames them', async () => {
    await loader.stage(await files.deployment('a', 1))
    // Seen in the folder, gone when it is read.
    await symlink('gone', join(files.esp, 'loader/entries/bootfleet-aaaaaaaaaaaa-2+3-0.conf'))
    expect((await loader.entries()).map(({ file }) => file)).toEqual(['bootfleet-aaaaaaaaaaaa-1.staged'])
  })

  test('an ESP that gives errors, by a code of its own', async () => {
    await mkdir(join(files.esp, 'loader/entries/bootfleet-aaaaaaaaaaaa-2+3-0.conf'))
    await expect(loader.entries()).rejects.toMatchObject({ code: 'storage-failed' })
  })
})
