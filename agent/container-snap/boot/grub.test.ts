import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemOf } from '../testing/boot-files.ts'
import { bootByGrub } from '../testing/grub-firmware.ts'
import type { GrubPair } from '../testing/grub-bench.ts'
import { openGrubPair } from '../testing/grub-bench.ts'

describe('GRUB', () => {
  let bench: GrubPair
  beforeEach(async () => {
    bench = await openGrubPair()
  })
  afterEach(() => bench.files.close())

  test('staging puts kernel and initrd in place and boots nothing differently', async () => {
    const { files, loader, one, boots } = bench
    await loader.stage(one)
    expect((await readdir(join(files.esp, 'bootfleet'))).toSorted()).toEqual([
      'entries.cfg',
      expect.stringMatching(/^initrd-[0-9a-f]{32}$/),
      expect.stringMatching(/^linux-[0-9a-f]{32}$/),
    ])
    expect(await boots(1)).toEqual([null])
    expect(await loader.entries()).toEqual([
      {
        deploymentId: one.id,
        file: 'bootfleet-staged',
        kind: 'staged',
        triesLeft: null,
        triesDone: null,
        activation: 0,
      },
    ])
  })

  test('the last activated is tried as often as it may be, then the one before boots', async () => {
    const { loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.stage(two)
    await loader.activate(two, { activation: 2, counted: true })
    expect(await boots(5)).toEqual(['b-work1', 'b-work1', 'b-work1', 'a-work1', 'a-work1'])
    expect(await loader.entries()).toEqual([
      {
        deploymentId: one.id,
        file: 'bootfleet-1',
        kind: 'good',
        triesLeft: null,
        triesDone: null,
        activation: 1,
      },
      { deploymentId: two.id, file: 'bootfleet-2', kind: 'bad', triesLeft: 0, triesDone: 3, activation: 2 },
    ])
  })

  test('the kernel is told root, arguments of image and machine, and the tries that are left', async () => {
    const { files, loader } = bench
    const three = await files.deployment('c', 7, {
      ...systemOf('c'),
      'usr/lib/bootc/kargs.d/1.toml': `kargs = ["quiet", "a=\\"b c\\""]\n`,
    })
    await loader.activate(three, { activation: 1, counted: true })
    expect(await bootByGrub(files.esp)).toMatchObject({
      menuId: 'bootfleet-1',
      options:
        'root=UUID=f00d rootflags=subvol=@var/store/c-work7 rw quiet a=b c panic=10 bootfleet.tries_left=2',
    })
    expect(await loader.entries()).toMatchObject([{ kind: 'counted', triesLeft: 2, triesDone: 1 }])
  })

  test('what was blessed is counted no more, once and again', async () => {
    const { files, loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    await boots(1)
    await loader.bless(two)
    await loader.bless(two)
    expect(await boots(5)).toEqual(Array(5).fill('b-work1'))
    expect(await loader.entries()).toMatchObject([{ kind: 'good' }, { kind: 'good', triesLeft: null }])
    expect(await files.content()).toMatchObject({
      'bootfleet/env': expect.not.stringContaining('tries') as string,
    })
  })

  test('what is marked bad is not chosen, whether it was counted or good', async () => {
    const { loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    await boots(1)
    for (const again of [two, two]) await loader.markBad(again)
    expect(await boots(2)).toEqual(['a-work1', 'a-work1'])
    expect(await loader.entries()).toMatchObject([
      { kind: 'good' },
      { kind: 'bad', triesLeft: 0, triesDone: 1 },
    ])
    await loader.markBad(one)
    expect(await boots(1)).toEqual([null])
    await loader.bless(two)
    expect(await boots(1)).toEqual(['b-work1'])
  })

  test('a proven one activated again is first under a new number', async () => {
    const { loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: false })
    await loader.activate(one, { activation: 3, counted: false })
    expect(await boots(1)).toEqual(['a-work1'])
    expect((await loader.entries()).map(({ file }) => file)).toEqual(['bootfleet-2', 'bootfleet-3'])
  })

  test('staged once more, what boots stays in the menu until it is activated', async () => {
    const { loader, one, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.stage(one)
    expect(await boots(1)).toEqual(['a-work1'])
    expect((await loader.entries()).map(({ kind }) => kind)).toEqual(['good', 'staged'])
    await loader.activate(one, { activation: 2, counted: true })
    expect((await loader.entries()).map(({ kind }) => kind)).toEqual(['counted'])
  })

  test('marking and blessing what is only staged, or not there at all, makes nothing bootable', async () => {
    const { files, loader, one, two } = bench
    await loader.stage(one)
    const before = await files.content()
    for (const deployment of [one, two]) {
      await loader.markBad(deployment)
      await loader.bless(deployment)
    }
    expect(await files.content()).toEqual(before)
  })

  const fileOf = async (text: string): Promise<string> => {
    const { files } = bench
    const content = await files.content()
    const [name = ''] = Object.keys(content).filter((path) => content[path] === text)
    return join(files.esp, name)
  }

  test.each(['kernel of b', 'initrd of b'])(
    'a missing %s is passed over at once, by what is proven',
    async (text) => {
      const { loader, one, two, boots } = bench
      await loader.activate(one, { activation: 1, counted: false })
      await loader.activate(two, { activation: 2, counted: true })
      await rm(await fileOf(text))
      expect(await boots(1)).toEqual(['a-work1'])
      expect(await loader.entries()).toMatchObject([{}, { triesLeft: 2 }])
    },
  )

  test('an initrd that GRUB cannot load uses up all tries, one start after the other', async () => {
    const { loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    await writeFile(await fileOf('initrd of b'), 'rubbish')
    expect(await boots(1)).toEqual(['a-work1'])
    expect(await loader.entries()).toMatchObject([{}, { kind: 'bad', triesLeft: 0 }])
  })

  test.each([
    ['torn', 'rubbish'],
    ['gone', null],
  ])('a block of tries that is %s leaves the choice to what is proven', async (_how, content) => {
    const { files, loader, one, two, boots } = bench
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    const env = join(files.esp, 'bootfleet/env')
    await (content === null ? rm(env) : writeFile(env, content))
    expect(await boots(2)).toEqual(['a-work1', 'a-work1'])
    expect(await loader.entries()).toMatchObject([{}, { kind: 'bad', triesLeft: 0 }])
  })

  test('deployments share a kernel, and it goes with the last of them', async () => {
    const { files, loader } = bench
    const [three, four] = [
      await files.deployment('c', 1, systemOf('s')),
      await files.deployment('c', 2, systemOf('s')),
    ]
    await loader.stage(three)
    await loader.activate(four, { activation: 1, counted: true })
    const kernels = async (): Promise<number> =>
      (await readdir(join(files.esp, 'bootfleet'))).filter((name) => /^(linux|initrd)-/.test(name)).length
    expect(await kernels()).toBe(2)
    expect(await loader.keepOnly([four.id, three.id])).toBe(0)
    expect(await loader.keepOnly([four.id])).toBeGreaterThan(100)
    expect(await kernels()).toBe(2)
    await loader.keepOnly([])
    expect(await kernels()).toBe(0)
    expect(await loader.entries()).toEqual([])
  })
})
