import { randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemTree } from '../testing/registry.ts'
import type { Pulled, Stage } from '../testing/stage.ts'
import { eventually, layerIds, openStage, readLedger, writersGone } from '../testing/stage.ts'
import type { Sysroot } from '../testing/sysroot.ts'
import { openSysroot } from '../testing/sysroot.ts'

type Collected = {
  removed: { kind: string; id: string; reason: string }[]
  kept: { id: string; reason: string }[]
  freedBytes: number | null
  cleaning: boolean
  pullRuns: boolean
}

const payloadBytes = 16 * 1024 * 1024

describe('gc', () => {
  let stage: Stage
  let sysroot: Sysroot
  const images: string[] = []
  const deployments: string[] = []
  const value = (...args: string[]): Promise<string> =>
    stage.program.value('--sysroot', sysroot.directory, ...args)
  const gc = async (...args: string[]): Promise<Collected> =>
    JSON.parse(await value('gc', '--json', ...args)) as Collected
  const removedIds = (collected: Collected): string[] => collected.removed.map(({ id }) => id)
  const subvolumes = join('snapshots', 'btrfs', 'subvolumes')
  const onDisk = async (): Promise<string[]> => (await readdir(join(sysroot.store, subvolumes))).toSorted()
  const pushed = async (version: number): Promise<string> => {
    const name = `os:${version}`
    const payload = { 'usr/share/payload': randomBytes(payloadBytes) }
    await stage.registry.push(name, [systemTree('base'), { ...systemTree(String(version)), ...payload }])
    return name
  }
  const pull = async (name: string): Promise<string> =>
    (JSON.parse(await value('pull', '--json', `${stage.registry.address}/${name}`)) as Pulled).imageId
  const update = async (): Promise<void> => {
    const image = await pull(await pushed(images.length + 1))
    const id = images.length === 0 ? await value('create-snapshot', image) : await value('deploy', image)
    await value('switch', id)
    await sysroot.reboot()
    await value('bless')
    images.push(image)
    deployments.push(id)
  }

  beforeAll(async () => {
    stage = await openStage()
    sysroot = await openSysroot(512)
    for (let count = 0; count < 3; count += 1) await update()
  }, 120_000)
  afterAll(async () => {
    await sysroot.close()
    await stage.close()
  })

  test('a dry run says what would go and changes nothing', async () => {
    const before = { ledger: await readLedger(sysroot.store), onDisk: await onDisk() }
    const planned = await gc('--dry-run')
    expect(removedIds(planned)).toEqual([deployments[0], images[0]])
    expect(planned.freedBytes).toBeNull()
    expect({ ledger: await readLedger(sysroot.store), onDisk: await onDisk() }).toEqual(before)
    expect(await value('gc', '--dry-run')).toMatch(
      /^would remove deployment \S+: another took its place\n[^]*\nnothing was changed$/,
    )
  })

  test('frees what was replaced, as many bytes as it says, and keeps what runs, the way back and their images', async () => {
    const freeBytes = async (): Promise<number> =>
      Number(
        (await execa('btrfs', ['filesystem', 'usage', '-b', sysroot.store])).stdout.match(
          /Used:\s+(\d+)/,
        )?.[1],
      )
    const before = await freeBytes()
    const collected = await gc('--keep', '0')
    expect(removedIds(collected)).toEqual([deployments[0], images[0]])
    const freedBytes = collected.freedBytes ?? 0
    expect(freedBytes).toBeGreaterThan(0.95 * payloadBytes)
    expect(freedBytes).toBeLessThan(1.2 * payloadBytes)
    expect(Math.abs(before - (await freeBytes()) - freedBytes)).toBeLessThan(0.05 * payloadBytes)
    expect(collected).toMatchObject({ cleaning: false, pullRuns: false })
    const reasons = Object.fromEntries(collected.kept.map(({ id, reason }) => [id, reason]))
    expect(reasons).toMatchObject({
      [deployments[2] ?? '']: 'it runs',
      [deployments[1] ?? '']: 'it is the way back',
      [images[2] ?? '']: 'a deployment that stays is made of it',
    })
    expect(await value('list-images')).not.toContain(images[0])
    expect(await readFile(join(sysroot.directory, 'usr/bin/tool'), 'utf8')).toBe('tool 3')
  })

  test('the base of what runs is there for the next deploy, and a second gc has nothing to do', async () => {
    const again = await gc('--keep', '0')
    expect(again.removed).toEqual([])
    expect(again.freedBytes).toBeLessThan(0.01 * payloadBytes)
    expect(await value('gc')).toMatch(/^nothing to remove\nfreed \d+ bytes$/)
    const queued = await value('deploy', images[2] ?? '')
    expect((await gc('--keep', '0')).removed).toEqual([])
    await value('delete', '--id', queued)
  })

  test('images that were pulled and not deployed: the newest stay, one asked for again is the newest', async () => {
    const first = await pull(await pushed(5))
    const second = await pull(await pushed(6))
    expect((await gc()).removed).toEqual([])
    const digest = (await readLedger(sysroot.store)).images
      .find(({ imageId }) => imageId === first)
      ?.digests.at(-1)
    await value('pull', `${stage.registry.address}/os@${digest}`)
    expect(removedIds(await gc('--keep', '1'))).toEqual([second])
    expect(removedIds(await gc('--keep', '0'))).toEqual([first])
  })

  test('a copy made by hand stays until --copies, a pinned one in any case', async () => {
    const copy = await value('create-snapshot', images[2] ?? '')
    const pinned = await value('create-snapshot', images[2] ?? '')
    await value('pin', pinned)
    expect((await gc('--keep', '0')).removed).toEqual([])
    expect(removedIds(await gc('--keep', '0', '--copies'))).toEqual([copy])
    await value('unpin', pinned)
    expect(removedIds(await gc('--copies'))).toEqual([pinned])
  })

  test('a bad deployment goes with the subvolumes that it made inside itself', async () => {
    const bad = await value('deploy', images[2] ?? '')
    await execa('btrfs', ['subvolume', 'create', `${await value('get-root', bad)}machines`])
    await value('switch', bad)
    await value('rollback', '--bad', 'smells')
    expect((await gc('--dry-run')).removed).toEqual([
      { kind: 'deployment', id: bad, reason: 'it is bad: smells' },
    ])
    expect(removedIds(await gc())).toEqual([bad])
  })

  test('leftovers go: a copy without an image, a layer without a record, a copy inside a copy', async () => {
    const store = join(sysroot.store, subvolumes)
    const current = basename(await value('get-root', deployments[2] ?? ''))
    const before = await onDisk()
    const lost = 'f'.repeat(64)
    for (const name of [lost, `${lost}-work2`, `${current}/${lost}`]) {
      await execa('btrfs', ['subvolume', 'snapshot', join(store, current), join(store, name)])
    }
    const { removed } = await gc()
    expect(removed.map(({ kind, id }) => [kind, id])).toEqual([
      ['leftover', `${current}/${lost}`],
      ['leftover', lost],
      ['leftover', `${lost}-work2`],
    ])
    expect(await onDisk()).toEqual(before)
  })

  test('what is mounted stays', async () => {
    const copy = await value('create-snapshot', images[2] ?? '')
    await execa('mount', ['--bind', await value('get-root', copy), join(sysroot.directory, 'usr')])
    try {
      expect((await gc('--copies')).removed).toEqual([])
    } finally {
      await execa('umount', [join(sysroot.directory, 'usr')])
    }
    expect(removedIds(await gc('--copies'))).toEqual([copy])
  })

  test('while a pull runs its layers and all images stay, and cut off it can be done again', async () => {
    const spare = await pull(await pushed(7))
    const name = await pushed(8)
    stage.front.stall()
    const before = await layerIds(sysroot.store)
    const running = stage.program.start(
      '--sysroot',
      sysroot.directory,
      'pull',
      '--quiet',
      `${stage.front.address}/${name}`,
    )
    await eventually('the pull is under way', async () => (await readLedger(sysroot.store)).pulls.length > 0)
    const copy = await value('create-snapshot', spare)
    const during = await gc('--keep', '0', '--copies')
    expect(during).toMatchObject({ pullRuns: true })
    expect(removedIds(during)).toEqual([copy])
    expect(await layerIds(sysroot.store)).toEqual(expect.arrayContaining(before))
    expect(await value('gc', '--keep', '0')).toMatch(
      /^a pull runs: images stay until it is done\nnothing to remove\n/,
    )
    running.kill('SIGKILL')
    await running.outcome
    await writersGone(sysroot)
    stage.front.flow()
    const pulled = await pull(name)
    expect(removedIds(await gc('--keep', '1'))).toEqual([spare])
    expect(removedIds(await gc('--keep', '0'))).toEqual([pulled])
  }, 120_000)

  test('killed at any moment it leaves a store that works, and the next call does the rest', async () => {
    for (const delayMs of [300, 700, 1300]) {
      const image = await pull(await pushed(9))
      const copies = [await value('create-snapshot', image), await value('create-snapshot', image)]
      const running = stage.program.start('--sysroot', sysroot.directory, 'gc', '--keep', '0', '--copies')
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      running.kill('SIGKILL')
      await running.outcome
      const listed = await value('list-snapshots')
      for (const id of copies.filter((copy) => listed.includes(copy))) await value('get-root', id)
      await gc('--keep', '0', '--copies')
      expect(await value('list-snapshots')).not.toContain(image)
      expect(await value('get-current')).toBe(deployments[2])
    }
    expect((await gc('--keep', '0', '--copies')).removed).toEqual([])
  }, 120_000)

  test('a store that lost its records is not emptied', async () => {
    const records = join(sysroot.store, 'snapshots/btrfs-images/images.json')
    await execa('mv', [records, `${records}.lost`])
    const before = await onDisk()
    const ledger = join(sysroot.store, 'ledger.json')
    await execa('mv', [ledger, `${ledger}.kept`])
    const refused = await stage.program.run('--sysroot', sysroot.directory, 'gc')
    expect(refused).toMatchObject({ status: 4, stdout: '' })
    expect(refused.stderr).toContain('the image store names no image')
    expect(await onDisk()).toEqual(before)
    await execa('mv', [`${records}.lost`, records])
    await execa('mv', [`${ledger}.kept`, ledger])
  })
})
