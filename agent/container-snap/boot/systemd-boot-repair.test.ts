import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { known, openBootFiles } from '../testing/boot-files.ts'
import type { BootDeployment, KnownDeployment, Loader } from './loader.ts'
import { openSystemdBoot } from './systemd-boot.ts'

const context = { signal: new AbortController().signal }
const stem = 'bootfleet-bbbbbbbbbbbb-1'

/** Beside a machine's running deployment a, the entries of b are put as a crash or the loader leaves them. */
describe('a repair of the entries', () => {
  let files: BootFiles
  let loader: Loader
  let one: BootDeployment
  let two: BootDeployment
  let whole = ''
  const path = (name: string): string => join(files.esp, 'loader/entries', name)
  /** With text for version 2 where nothing else is said. */
  const put = async (...names: (string | [name: string, text: string])[]): Promise<void> => {
    for (const name of names) {
      if (typeof name === 'string') await writeFile(path(name), whole)
      else await writeFile(path(name[0]), name[1])
    }
  }
  const repair = async (facts: Partial<KnownDeployment>): Promise<readonly string[]> =>
    loader.repair([
      known(one, { activation: 1, blessed: true, current: facts.current !== true }),
      known(two, facts),
    ])
  const entriesOfTwo = async (): Promise<string[]> =>
    (await files.entries()).filter((name) => name.startsWith(stem))

  beforeEach(async () => {
    files = await openBootFiles()
    loader = openSystemdBoot(context, files.options)
    one = await files.deployment('a', 1)
    two = await files.deployment('b', 1)
    await loader.activate(one, { activation: 1, counted: false })
    await loader.activate(two, { activation: 2, counted: true })
    whole = await readFile(path(`${stem}+3-0.conf`), 'utf8')
    await rm(path(`${stem}+3-0.conf`))
  })
  afterEach(async () => files.close())

  test.each([
    ['nothing, of one that is proven', { activation: 2, blessed: true }, [], '.conf'],
    ['nothing, of one that is running', { activation: 2, current: true }, [], '+3-0.conf'],
    ['nothing, of one that is activated, neither running nor proven', { activation: 2 }, [], '.staged'],
    ['nothing, of one that is bad', { activation: 2, bad: true }, [], null],
    ['nothing, of one that is staged', {}, [], null],
    ['a torn entry, of one that is proven', { activation: 2, blessed: true }, [['.conf', 'title']], '.conf'],
    [
      'a torn entry, of one that is running, on its second try',
      { activation: 2, current: true },
      [['+1-2.conf', '']],
      '+1-2.conf',
    ],
    ['a torn entry, of one that is not running', { activation: 2 }, [['+3-0.conf', '']], '.staged'],
    ['a torn staged entry, of one that is staged', {}, [['.staged', '']], '.staged'],
    ['a torn entry, of one that is bad', { activation: 2, bad: true }, [['+0-3.conf', '']], null],
    [
      'two counts of one activation, of one that is running',
      { activation: 2, current: true },
      ['+3-0.conf', '+2-1.conf'],
      '+2-1.conf',
    ],
    [
      'two counts, one used up, of one that is not running',
      { activation: 2 },
      ['+1-2.conf', '+0-3.conf'],
      '+0-3.conf',
    ],
    [
      'a clean and a counted name, of one that is not proven',
      { activation: 2 },
      ['.conf', '+2-1.conf'],
      '+2-1.conf',
    ],
    [
      'a clean and a counted name, of one that is proven',
      { activation: 2, blessed: true },
      ['.conf', '+2-1.conf'],
      '.conf',
    ],
    ['a counted name, of one that is proven', { activation: 2, blessed: true }, ['+2-1.conf'], '.conf'],
    ['a clean name, of one that is bad', { activation: 2, bad: true }, ['.conf'], '+0-0.conf'],
    ['a counted name, of one that is bad', { activation: 2, bad: true }, ['+2-1.conf'], '+0-1.conf'],
    [
      'a used up name, of one that is running on its last try',
      { activation: 2, current: true },
      ['+0-3.conf'],
      '+0-3.conf',
    ],
    [
      'a staged and a counted name, of one that is not running',
      { activation: 2 },
      ['.staged', '+3-0.conf'],
      '+3-0.conf',
    ],
    [
      'a staged and a torn counted name, of one that is not running',
      { activation: 2 },
      ['.staged', ['+3-0.conf', '']],
      '.staged',
    ],
    [
      'a good name the ledger has not heard of, of one that is not proven',
      { activation: 2 },
      ['.conf'],
      '.conf',
    ],
  ] as const)('%s', async (_state, facts, found, left) => {
    await put(
      ...found.map((name): string | [string, string] =>
        typeof name === 'string' ? stem + name : [stem + name[0], name[1]],
      ),
    )
    await repair(facts)
    expect(await entriesOfTwo()).toEqual(left === null ? [] : [stem + left])
    if (left !== null && left !== '.staged') expect(await readFile(path(stem + left), 'utf8')).toBe(whole)
    expect(await repair(facts)).toEqual([])
  })

  test('the later activation counts, whatever its name', async () => {
    await put(`${stem}.conf`, [`${stem}+3-0.conf`, whole.replace('version 2', 'version 5')])
    expect(await repair({ activation: 5, blessed: true })).toEqual([
      `renamed ${stem}+3-0.conf to ${stem}.conf: so the ledger has ${two.id}`,
    ])
    expect(await readFile(path(`${stem}.conf`), 'utf8')).toContain('\nversion 5\n')
  })

  test('a kernel that is gone or cut short comes back, and the entry stays as it was', async () => {
    await put(`${stem}.conf`)
    const before = await files.content()
    const [linux] = (await readdir(join(files.esp, 'bootfleet'))).filter((name) => whole.includes(`/${name}`))
    for (const damage of ['', null]) {
      const file = join(files.esp, 'bootfleet', linux ?? '')
      await (damage === null ? rm(file) : writeFile(file, damage))
      await repair({ activation: 2, blessed: true })
      expect(await files.content()).toEqual(before)
    }
  })

  test('where something was interrupted, kernels are read whole', async () => {
    await put(`${stem}.conf`)
    const before = await files.content()
    for (const name of await readdir(join(files.esp, 'bootfleet'))) {
      const file = join(files.esp, 'bootfleet', name)
      await writeFile(file, (await readFile(file, 'utf8')).replace(/./g, 'x'))
    }
    await put([`${stem}.staged.tmp`, 'tit'])
    expect(await repair({ activation: 2, blessed: true })).toContain(
      `removed ${stem}.staged.tmp: its writing was interrupted`,
    )
    expect(await files.content()).toEqual(before)
  })

  test('leftovers and kernels that no entry names go, and what is not ours stays', async () => {
    await put(`${stem}.conf`, ['debian.conf', 'title Debian\n'], ['other.conf.tmp', 'x'])
    await writeFile(join(files.esp, 'bootfleet/linux-0123.tmp'), 'not by our names')
    await writeFile(join(files.esp, `bootfleet/linux-${'0'.repeat(32)}`), '12345')
    await writeFile(join(files.esp, `bootfleet/initrd-${'0'.repeat(32)}.tmp`), '67')
    expect(await repair({ activation: 2, blessed: true })).toEqual([
      'removed kernels that no entry names: 7 bytes',
    ])
    expect(await files.entries()).toEqual([
      `bootfleet-aaaaaaaaaaaa-1.conf`,
      `${stem}.conf`,
      'debian.conf',
      'other.conf.tmp',
    ])
    expect(await readdir(join(files.esp, 'bootfleet'))).toContain('linux-0123.tmp')
  })

  test('a whole entry of a deployment that is not known stays: the ledger may be the one that lost it', async () => {
    await put(`${stem}.conf`, [`bootfleet-cccccccccccc-1.conf`, 'title'])
    const done = await loader.repair([known(one, { activation: 1, blessed: true, current: true })])
    expect(done).toEqual(['removed bootfleet-cccccccccccc-1.conf: torn, and of no deployment that is known'])
    expect(await loader.repair([])).toEqual([])
    expect(await entriesOfTwo()).toEqual([`${stem}.conf`])
  })

  test('one that cannot be repaired is told, and the others are', async () => {
    await put([`${stem}.conf`, ''])
    await rename(join(one.root, 'boot'), join(one.root, 'boot.away'))
    await rm(join(files.esp, 'bootfleet'), { recursive: true })
    const done = await repair({ activation: 2, blessed: true })
    expect(done[0]).toMatch(
      new RegExp(`^could not repair the entry of ${one.id}: find the kernel of .*: no `),
    )
    expect(done[1]).toBe(`wrote ${stem}.conf anew for ${two.id}`)
  })

  test('a deployment that has a second kernel by now keeps the one that is on the ESP', async () => {
    await put(`${stem}.conf`)
    await writeFile(join(two.root, 'boot/vmlinuz-6.13'), 'newer')
    expect(await repair({ activation: 2, blessed: true })).toEqual([])
    await loader.activate(two, { activation: 3, counted: false })
    expect(await readFile(path(`${stem}.conf`), 'utf8')).toBe(whole.replace('version 2', 'version 3'))
  })
})
