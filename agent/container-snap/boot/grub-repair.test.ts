import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { known } from '../testing/boot-files.ts'
import { bootByGrub } from '../testing/grub-firmware.ts'
import type { GrubBench } from '../testing/grub-bench.ts'
import { openGrubBench } from '../testing/grub-bench.ts'
import type { BootDeployment, KnownDeployment, Loader } from './loader.ts'

/** Beside a machine's running deployment a, what the ledger says of b meets what GRUB's files say. */
describe('a repair of what GRUB has', () => {
  let bench: GrubBench
  let files: BootFiles
  let loader: Loader
  let one: BootDeployment
  let two: BootDeployment
  let entriesFile = ''
  let envFile = ''
  const repair = async (facts: Partial<KnownDeployment>): Promise<readonly string[]> =>
    loader.repair([
      known(one, { activation: 1, blessed: true, current: facts.current !== true }),
      known(two, facts),
    ])
  const entryOfTwo = async (): Promise<unknown> => {
    const own = (await loader.entries()).filter(({ deploymentId }) => deploymentId === two.id)
    expect(own.length).toBeLessThanOrEqual(1)
    const [entry] = own
    return entry === undefined ? null : [entry.kind, entry.triesLeft, entry.activation]
  }

  beforeEach(async () => {
    bench = await openGrubBench()
    files = bench.files
    loader = bench.open()
    one = await files.deployment('a', 1)
    two = await files.deployment('b', 1)
    entriesFile = join(files.esp, 'bootfleet/entries.cfg')
    envFile = join(files.esp, 'bootfleet/env')
    await loader.activate(one, { activation: 1, counted: false })
  })
  afterEach(async () => files.close())

  /** Before the repair; then the entries are as they are, torn, or gone. */
  const befores = {
    nothing: async () => {},
    staged: async () => loader.stage(two),
    counted: async () => loader.activate(two, { activation: 2, counted: true }),
    tried: async () => {
      await befores.counted()
      await bootByGrub(files.esp)
    },
    'used up': async () => {
      await befores.counted()
      for (const _try of [1, 2, 3]) await bootByGrub(files.esp)
    },
    good: async () => loader.activate(two, { activation: 2, counted: false }),
    bad: async () => {
      await befores.tried()
      await loader.markBad(two)
    },
  }
  test.each([
    ['nothing', 'proven', { activation: 2, blessed: true }, ['good', null, 2]],
    ['nothing', 'running', { activation: 2, current: true }, ['counted', 3, 2]],
    ['nothing', 'neither running nor proven', { activation: 2 }, ['staged', null, 2]],
    ['nothing', 'bad', { activation: 2, bad: true }, null],
    ['nothing', 'staged', {}, null],
    ['staged', 'staged', {}, ['staged', null, 0]],
    ['staged', 'bad', { activation: 2, bad: true }, ['staged', null, 2]],
    ['staged', 'proven', { activation: 2, blessed: true }, ['good', null, 2]],
    ['counted', 'neither running nor proven', { activation: 2 }, ['counted', 3, 2]],
    ['tried', 'running', { activation: 2, current: true }, ['counted', 2, 2]],
    ['tried', 'proven', { activation: 2, blessed: true }, ['good', null, 2]],
    ['tried', 'bad', { activation: 2, bad: true }, ['bad', 0, 2]],
    ['used up', 'running on its last try', { activation: 2, current: true }, ['bad', 0, 2]],
    ['used up', 'not running', { activation: 2 }, ['bad', 0, 2]],
    ['good', 'not known to be proven', { activation: 2 }, ['good', null, 2]],
    ['good', 'bad', { activation: 2, bad: true }, ['bad', 0, 2]],
    ['bad', 'bad', { activation: 2, bad: true }, ['bad', 0, 2]],
    ['bad', 'blessed once more, which is done by bless', { activation: 2, blessed: true }, ['bad', 0, 2]],
  ] as const)('%s, of one that is %s', async (before, _is, facts, after) => {
    await befores[before]()
    await repair(facts)
    expect(await entryOfTwo()).toEqual(after)
    expect(await repair(facts)).toEqual([])
  })

  test.each([
    ['proven', { activation: 2, blessed: true }, ['good', null, 2]],
    ['running, whose count begins anew', { activation: 2, current: true }, ['counted', 3, 2]],
    ['neither running nor proven', { activation: 2 }, ['staged', null, 2]],
  ] as const)('all is written anew where it is gone, of one that is %s', async (_is, facts, after) => {
    await befores.counted()
    await rm(join(files.esp, 'bootfleet'), { recursive: true })
    const done = await repair(facts)
    expect(done).toContain(`wrote the entry of ${one.id} anew`)
    expect(await entryOfTwo()).toEqual(after)
    expect((await loader.entries())[0]).toMatchObject({ deploymentId: one.id, kind: 'good', activation: 1 })
    expect(await repair(facts)).toEqual([])
  })

  test('a count that is lost begins anew for what runs, and is over for what does not', async () => {
    await befores.tried()
    await writeFile(envFile, 'torn')
    expect(await repair({ activation: 2, current: true })).toEqual([
      `began the count of ${two.id} anew: 3 left`,
    ])
    expect(await entryOfTwo()).toEqual(['counted', 3, 2])
    await rm(envFile)
    expect(await repair({ activation: 2 })).toEqual([`began the count of ${two.id} anew: 0 left`])
    expect(await entryOfTwo()).toEqual(['bad', 0, 2])
  })

  test('what an interrupted writing left goes, and kernels are read whole then', async () => {
    await befores.good()
    const before = await files.content()
    const names = await readdir(join(files.esp, 'bootfleet'))
    for (const name of names.filter((one) => /^(linux|initrd)-/.test(one))) {
      const file = join(files.esp, 'bootfleet', name)
      await writeFile(file, (await readFile(file, 'utf8')).replace(/./g, 'x'))
    }
    for (const file of [entriesFile, envFile]) await writeFile(`${file}.tmp`, 'half')
    await writeFile(join(files.esp, `bootfleet/initrd-${'0'.repeat(32)}.tmp`), '67')
    expect(await repair({ activation: 2, blessed: true })).toEqual([
      'removed entries.cfg.tmp: its writing was interrupted',
      'removed env.tmp: its writing was interrupted',
      'removed kernels that no entry names: 2 bytes',
    ])
    expect(await files.content()).toEqual(before)
  })

  test('a count that no entry has goes, and a torn block that nobody needs is written anew', async () => {
    await befores.counted()
    await loader.bless(two)
    const empty = await readFile(envFile, 'utf8')
    await writeFile(envFile, empty.replace('####################', 'tries_9=1\n##########'))
    for (const damaged of [false, true]) {
      if (damaged) await writeFile(envFile, 'torn')
      expect(await repair({ activation: 2, blessed: true })).toEqual(['wrote what GRUB counts anew'])
      expect(await readFile(envFile, 'utf8')).toBe(empty)
    }
  })

  test('the block in custom.cfg comes back, and where nothing reads it that is told', async () => {
    const custom = join(bench.config, 'custom.cfg')
    const block = await readFile(custom, 'utf8')
    await writeFile(custom, block.replace(/0000-F00D/, 'another'))
    expect(await repair({})).toEqual(["wrote the block in GRUB's custom.cfg anew"])
    expect(await readFile(custom, 'utf8')).toBe(block)
    await writeFile(join(bench.config, 'grub.cfg'), '')
    const [line] = await repair({})
    expect(line).toContain("could not repair the block in GRUB's custom.cfg: enter into GRUB: ")
  })

  test('one that cannot be repaired is told, and the others are', async () => {
    await befores.good()
    await rename(join(one.root, 'boot'), join(one.root, 'boot.away'))
    for (const name of await readdir(join(files.esp, 'bootfleet'))) {
      if (name.startsWith('linux-')) await rm(join(files.esp, 'bootfleet', name))
    }
    const done = await repair({ activation: 2, blessed: true })
    expect(done[0]).toMatch(
      new RegExp(`^could not repair the entry of ${one.id}: find the kernel of .*: no `),
    )
    expect((await bootByGrub(files.esp))?.menuId).toBe('bootfleet-2')
    expect((await loader.entries()).map(({ file }) => file)).toEqual(['bootfleet-1', 'bootfleet-2'])
  })

  test('an entry of a deployment that is not known stays: the ledger may be the one that lost it', async () => {
    await befores.good()
    expect(await loader.repair([])).toEqual([])
    const text = await readFile(entriesFile, 'utf8')
    await writeFile(entriesFile, text.slice(0, text.lastIndexOf('\nmenuentry')))
    expect(await loader.repair([])).toEqual([
      `wrote ${entriesFile} anew: it was cut short or changed by hand`,
    ])
    expect(await readFile(entriesFile, 'utf8')).toBe(text)
  })
})
