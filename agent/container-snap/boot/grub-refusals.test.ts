import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { known, systemOf } from '../testing/boot-files.ts'
import type { GrubPair } from '../testing/grub-bench.ts'
import { openGrubPair } from '../testing/grub-bench.ts'

describe('GRUB refuses, and keeps what is not ours', () => {
  let bench: GrubPair
  beforeEach(async () => {
    bench = await openGrubPair()
  })
  afterEach(() => bench.files.close())

  test('what others keep in GRUB’s block and in custom.cfg stays', async () => {
    const { files, loader, one, two } = bench
    await loader.activate(two, { activation: 1, counted: true })
    const custom = join(bench.config, 'custom.cfg')
    const block = await readFile(custom, 'utf8')
    await writeFile(custom, `menuentry 'mine' { true }\n${block}set color_normal=white/black`)
    await loader.activate(one, { activation: 2, counted: true })
    const text = await readFile(custom, 'utf8')
    expect(text).toBe(`menuentry 'mine' { true }\nset color_normal=white/black\n${block}`)
    await writeFile(
      join(files.esp, 'bootfleet/env'),
      (await readFile(join(files.esp, 'bootfleet/env'), 'utf8')).replace(
        'tries_2=3\n#########',
        'tries_2=3\nmine=yes\n',
      ),
    )
    await loader.bless(one)
    expect((await files.content())['bootfleet/env']).toContain('\nmine=yes\n')
  })

  test('a file that was cut short or changed by hand is written over by nothing but a repair', async () => {
    const { files, loader, one, two } = bench
    await loader.activate(one, { activation: 1, counted: false })
    const file = join(files.esp, 'bootfleet/entries.cfg')
    const whole = await readFile(file, 'utf8')
    await writeFile(file, whole.slice(0, -100))
    const acts = [
      () => loader.stage(two),
      () => loader.activate(two, { activation: 2, counted: true }),
      () => loader.bless(one),
      () => loader.markBad(one),
      () => loader.keepOnly([]),
    ]
    for (const act of acts) {
      await expect(act()).rejects.toMatchObject({
        code: 'storage-failed',
        message: `read ${file}: it was cut short or changed by hand; container-snap repair writes it anew`,
      })
    }
    expect(await loader.repair([known(one, { activation: 1, blessed: true })])).toEqual([
      `wrote ${file} anew: it was cut short or changed by hand`,
    ])
    expect(await readFile(file, 'utf8')).toBe(whole)
  })

  test('where GRUB cannot count, nothing is staged unless the machine says so, and then the order alone decides', async () => {
    const { files, one, two, boots } = bench
    const unwritable = '/boot is btrfs, to which GRUB cannot write'
    const guarded = bench.open({ unwritable })
    expect([await bench.loader.guard(), await guarded.guard()]).toEqual(['counted', 'uncounted'])
    for (const act of [
      () => guarded.stage(one),
      () => guarded.activate(one, { activation: 1, counted: true }),
    ]) {
      await expect(act()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining(`no automatic fallback: ${unwritable}. Mount`) as string,
      })
    }
    expect(await files.content()).toEqual({})
    expect(await guarded.repair([known(one)])).toEqual([])
    await expect(guarded.repair([known(one, { activation: 1 })])).rejects.toMatchObject({ code: 'refused' })
    const unguarded = bench.open({ unwritable, unguarded: true })
    await unguarded.activate(one, { activation: 1, counted: false })
    await unguarded.activate(two, { activation: 2, counted: true })
    expect(await boots(4)).toEqual(Array(4).fill('b-work1'))
    expect(Object.keys(await files.content())).not.toContain('bootfleet/env')
    expect(await unguarded.entries()).toMatchObject([
      { kind: 'good' },
      { kind: 'counted', triesLeft: null, triesDone: null },
    ])
    await unguarded.bless(two)
    expect(await unguarded.entries()).toMatchObject([{ kind: 'good' }, { kind: 'good' }])
  })

  test.each([
    ['has no grub.cfg', null, /grub\.cfg: ENOENT.*; name the folder of GRUB's grub\.cfg in machine\.json/],
    [
      'has one that does not read custom.cfg',
      '# custom.cfg\nset x=1\n',
      /does not read custom\.cfg; make \/etc\/grub\.d\/41_custom/,
    ],
  ])('a machine that %s is refused', async (_what, text, message) => {
    const { files, loader, one } = bench
    const file = join(bench.config, 'grub.cfg')
    await (text === null ? rm(file) : writeFile(file, text))
    await expect(loader.stage(one)).rejects.toMatchObject({ code: 'refused' })
    await expect(loader.stage(one)).rejects.toThrow(message)
    expect(await files.content()).toEqual({})
  })

  test('a kernel argument that GRUB would change is refused', async () => {
    const { files, loader } = bench
    const three = await files.deployment('c', 1, {
      ...systemOf('c'),
      'usr/lib/bootc/kargs.d/1.toml': `kargs = ["it's"]\n`,
    })
    await expect(loader.stage(three)).rejects.toMatchObject({ code: 'refused' })
    expect(await files.content()).toEqual({})
  })

  test('kernel and initrd that do not fit are refused with what is needed', async () => {
    const { files, loader } = bench
    const big = { ...systemOf('b'), 'boot/initrd.img-6.12': 'x'.repeat(5 * 1024 * 1024) }
    await expect(loader.stage(await files.deployment('c', 1, big))).rejects.toThrow(
      /kernel and initrd need \d+ bytes on GRUB's file system \S+ and \d+ are free/,
    )
    expect(await files.content()).toEqual({})
  })

  test('a folder that is not there is told', async () => {
    const { files } = bench
    await mkdir(join(files.esp, 'bootfleet'))
    await expect(bench.openAt(join(files.esp, 'gone')).entries()).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining("open GRUB's folder") as string,
    })
  })
})
