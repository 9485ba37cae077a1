import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { openBootFiles, systemOf, writeFiles } from '../testing/boot-files.ts'
import type { Loader } from './loader.ts'
import { openSystemdBoot } from './systemd-boot.ts'

const context = { signal: new AbortController().signal }

describe('systemd-boot', () => {
  let files: BootFiles
  let loader: Loader
  beforeEach(async () => {
    files = await openBootFiles()
    loader = openSystemdBoot(context, files.options)
  })
  afterEach(async () => files.close())
  const entry = async (name: string): Promise<string> =>
    readFile(join(files.esp, 'loader/entries', name), 'utf8')

  test('staging writes kernel, initrd and an entry that no loader looks at', async () => {
    const one = await files.deployment('a', 7, {
      'etc/os-release':
        'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nIMAGE_VERSION=2026.11\n',
      'boot/vmlinuz-6.12': 'kernel',
      'boot/initrd.img-6.12': 'initrd',
      'usr/lib/bootc/kargs.d/10-console.toml': 'kargs = ["console=ttyS0,115200n8", "quiet"]\n',
    })
    await loader.stage(one)
    expect(await files.content()).toEqual({
      'bootfleet/linux-6923dd1bc0460082c5d55a831908c24a': 'kernel',
      'bootfleet/initrd-09e6c018d2c8c4903308613dd1b72484': 'initrd',
      'loader/entries/bootfleet-aaaaaaaaaaaa-7.staged': `title Debian GNU/Linux 13 (trixie) 2026.11
version 0
sort-key bootfleet
architecture ${process.arch === 'arm64' ? 'aa64' : 'x64'}
linux /bootfleet/linux-6923dd1bc0460082c5d55a831908c24a
initrd /bootfleet/initrd-09e6c018d2c8c4903308613dd1b72484
options root=UUID=f00d rootflags=subvol=@var/store/a-work7 rw console=ttyS0,115200n8 quiet panic=10
# bootfleet-deployment ${'a'.repeat(64)}-work7
`,
    })
  })

  test('an activation gives it its number and its tries', async () => {
    const one = await files.deployment('a', 1)
    await loader.stage(one)
    await loader.activate(one, { activation: 12, counted: true })
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1+3-0.conf'])
    expect(await entry('bootfleet-aaaaaaaaaaaa-1+3-0.conf')).toContain('\nversion 12\n')
    expect(await loader.entries()).toEqual([
      {
        deploymentId: one.id,
        file: 'bootfleet-aaaaaaaaaaaa-1+3-0.conf',
        kind: 'counted',
        triesLeft: 3,
        triesDone: 0,
        activation: 12,
      },
    ])
  })

  test('an activation that nothing was staged for stages first', async () => {
    const one = await files.deployment('a', 1)
    await loader.activate(one, { activation: 1, counted: true })
    expect(Object.keys(await files.content()).length).toBe(3)
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1+3-0.conf'])
  })

  test('a proven one activated again stays good under a new number, and the other is not touched', async () => {
    const [one, two] = [await files.deployment('a', 1), await files.deployment('b', 1)]
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    await loader.bless(two)
    const before = await entry('bootfleet-bbbbbbbbbbbb-1.conf')
    await loader.activate(one, { activation: 3, counted: false })
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1.conf', 'bootfleet-bbbbbbbbbbbb-1.conf'])
    expect(await entry('bootfleet-aaaaaaaaaaaa-1.conf')).toContain('\nversion 3\n')
    expect(await entry('bootfleet-bbbbbbbbbbbb-1.conf')).toBe(before)
  })

  test('of one deployment there is never a clean and a counted entry', async () => {
    const one = await files.deployment('a', 1)
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(one, { activation: 2, counted: true })
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1+3-0.conf'])
    await loader.activate(one, { activation: 3, counted: false })
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1.conf'])
  })

  test('a counted one that the loader has counted down is blessed by its clean name, once and again', async () => {
    const one = await files.deployment('a', 1)
    await loader.activate(one, { activation: 1, counted: true })
    await writeFiles(files.esp, {
      'loader/entries/bootfleet-aaaaaaaaaaaa-1+2-1.conf': await entry('bootfleet-aaaaaaaaaaaa-1+3-0.conf'),
    })
    await rm(join(files.esp, 'loader/entries/bootfleet-aaaaaaaaaaaa-1+3-0.conf'))
    expect(await loader.entries()).toMatchObject([{ kind: 'counted', triesLeft: 2, triesDone: 1 }])
    await loader.bless(one)
    await loader.bless(one)
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1.conf'])
  })

  test('one that is marked bad has no tries left, whether it was counted or good', async () => {
    const [one, two] = [await files.deployment('a', 1), await files.deployment('b', 1)]
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    for (const deployment of [one, two, one, two]) await loader.markBad(deployment)
    expect(await files.entries()).toEqual([
      'bootfleet-aaaaaaaaaaaa-1+0-0.conf',
      'bootfleet-bbbbbbbbbbbb-1+0-0.conf',
    ])
    await loader.bless(two)
    expect(await loader.entries()).toMatchObject([{ kind: 'bad' }, { kind: 'good' }])
  })

  test('marking and blessing what is only staged, or not there at all, makes nothing bootable', async () => {
    const [one, two] = [await files.deployment('a', 1), await files.deployment('b', 1)]
    await loader.stage(one)
    for (const deployment of [one, two]) {
      await loader.markBad(deployment)
      await loader.bless(deployment)
    }
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-1.staged'])
  })

  test('deployments with the same kernel share its file, and it goes with the last of them', async () => {
    const [one, two] = [
      await files.deployment('a', 1, systemOf('s')),
      await files.deployment('a', 2, systemOf('s')),
    ]
    await loader.stage(one)
    await loader.stage(two)
    expect((await readdir(join(files.esp, 'bootfleet'))).length).toBe(2)
    await loader.keepOnly([two.id])
    expect(await files.entries()).toEqual(['bootfleet-aaaaaaaaaaaa-2.staged'])
    expect((await readdir(join(files.esp, 'bootfleet'))).length).toBe(2)
    const freedBytes = await loader.keepOnly([])
    expect(freedBytes).toBeGreaterThan('kernel of sinitrd of s'.length)
    expect(await files.content()).toEqual({})
  })

  test('a kernel that an entry made by hand names is kept', async () => {
    await loader.stage(await files.deployment('a', 1))
    const text = await entry('bootfleet-aaaaaaaaaaaa-1.staged')
    await writeFile(join(files.esp, 'loader/entries/by-hand.conf'), text)
    await loader.keepOnly([])
    expect(await files.entries()).toEqual(['by-hand.conf'])
    expect((await readdir(join(files.esp, 'bootfleet'))).length).toBe(2)
  })

  test('a torn kernel on the ESP is written anew before anything is staged on it', async () => {
    const one = await files.deployment('a', 1)
    await loader.stage(one)
    const whole = await files.content()
    for (const name of await readdir(join(files.esp, 'bootfleet'))) {
      await writeFile(join(files.esp, 'bootfleet', name), name.startsWith('linux') ? '' : 'initrd of X')
    }
    await loader.stage(one)
    expect(await files.content()).toEqual(whole)
  })

  test('two images whose ids begin alike have entries of their own', async () => {
    const [one, two] = [
      await files.deployment('0123456789abc', 1),
      await files.deployment('0123456789abd', 1),
    ]
    await loader.stage(one)
    await loader.activate(two, { activation: 1, counted: true })
    await loader.stage(two)
    await loader.activate(one, { activation: 2, counted: true })
    expect(await files.entries()).toEqual([
      'bootfleet-0123456789ab-1+3-0.conf',
      'bootfleet-0123456789abdddd-1+3-0.conf',
      'bootfleet-0123456789abdddd-1.staged',
    ])
  })
})
