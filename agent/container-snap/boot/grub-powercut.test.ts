import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { known, systemOf, writeFiles } from '../testing/boot-files.ts'
import type { Content } from '../testing/cut-disk.ts'
import { cutStates, openRecordedDisk } from '../testing/cut-disk.ts'
import { bootByGrub } from '../testing/grub-firmware.ts'
import type { GrubBench } from '../testing/grub-bench.ts'
import { openGrubBench } from '../testing/grub-bench.ts'
import { parseEntries } from './grub-entries.ts'
import type { BootDeployment, KnownDeployment, Loader } from './loader.ts'

/** A change is a whole number of boots and commands; each state of a cut runs GRUB's script once. */
const timeout = 600_000

/** Every kernel that the entries name is there and whole. */
function expectWholeKernels(content: Content): void {
  for (const entry of parseEntries(content['bootfleet/entries.cfg'] ?? '').entries) {
    for (const file of [entry.linux, entry.initrd]) {
      const bytes = content[file.slice(1)]
      expect(bytes, `${entry.kind} names ${file}`).toBeDefined()
      expect(file).toContain(
        createHash('sha256')
          .update(bytes ?? '')
          .digest('hex')
          .slice(0, 32),
      )
    }
  }
}

describe('a power cut anywhere in a change of what GRUB reads', () => {
  let bench: GrubBench
  let files: BootFiles
  let old: BootDeployment
  let next: BootDeployment
  beforeEach(async () => {
    bench = await openGrubBench()
    files = bench.files
    old = await files.deployment('a', 1)
    next = await files.deployment('b', 1)
    await bench.open().activate(old, { activation: 1, counted: false })
  })
  afterEach(async () => files.close())

  /** custom.cfg is on a file system of its own kind; here it stands beside, and is cut with the rest. */
  const content = async (): Promise<Content> => {
    const custom = await readFile(join(bench.config, 'custom.cfg'), 'utf8').catch(() => null)
    return { ...(await files.content()), ...(custom === null ? {} : { '../grub/custom.cfg': custom }) }
  }
  const restore = async (state: Content): Promise<void> => {
    await rm(join(files.esp, 'bootfleet'), { recursive: true, force: true })
    await rm(join(bench.config, 'custom.cfg'), { force: true })
    await writeFiles(files.esp, state)
  }
  const cuts = async (change: (loader: Loader) => Promise<unknown>): Promise<Content[]> => {
    const start = await content()
    const disk = openRecordedDisk()
    await change(bench.open({ disk }))
    const relative = (path: string): string =>
      path.startsWith(bench.config)
        ? `../${path.slice(dirname(bench.config).length + 1)}`
        : path.slice(files.esp.length + 1)
    const changes = disk.changes.map((one) => {
      if (one.kind === 'sync') return one
      if (one.kind === 'rename') return { ...one, from: relative(one.from), to: relative(one.to) }
      return { ...one, path: relative(one.path) }
    })
    return cutStates(start, changes)
  }
  const booted = async (): Promise<string | null> => (await bootByGrub(files.esp))?.menuId ?? null
  /** After each cut: GRUB boots what it may, a repair makes it whole, and the change can be done again. */
  const expectRepaired = async (
    change: (loader: Loader) => Promise<unknown>,
    ledger: readonly KnownDeployment[],
    allowed: readonly (string | null)[],
  ): Promise<number> => {
    const states = await cuts(change)
    const end = await content()
    for (const state of states) {
      expectWholeKernels(state)
      await restore(state)
      expect(allowed).toContain(await booted())
      await restore(state)
      await bench.open({ disk: openRecordedDisk() }).repair(ledger)
      const repaired = await content()
      expectWholeKernels(repaired)
      expect(parseEntries(repaired['bootfleet/entries.cfg'] ?? '').torn).toBe(false)
      expect(Object.keys(repaired).filter((path) => path.endsWith('.tmp') && !path.startsWith('..'))).toEqual(
        [],
      )
      expect(await bench.open({ disk: openRecordedDisk() }).repair(ledger)).toEqual([])
      expect(allowed).toContain(await booted())
      await restore(repaired)
      await change(bench.open({ disk: openRecordedDisk() }))
      const { '../grub/custom.cfg.tmp': _left, ...again } = await content()
      expect(again).toEqual(end)
    }
    return states.length
  }
  const running = (facts: Partial<KnownDeployment> = {}): KnownDeployment =>
    known(old, { activation: 1, blessed: true, current: true, ...facts })

  test('staging: what boots is the old one', { timeout }, async () => {
    const stage = async (loader: Loader): Promise<void> => loader.stage(next)
    expect(await expectRepaired(stage, [running(), known(next)], ['bootfleet-1'])).toBeGreaterThan(20)
  })

  test(
    'activation: the old one or the new one boots, and never the new one uncounted',
    { timeout },
    async () => {
      await bench.open().stage(next)
      const activate = async (loader: Loader): Promise<void> =>
        loader.activate(next, { activation: 2, counted: true })
      const ledger = [running(), known(next, { activation: 2 })]
      await expectRepaired(activate, ledger, ['bootfleet-1', 'bootfleet-2'])
      for (const state of await cuts(activate)) {
        await restore(state)
        const order = [await booted(), await booted(), await booted(), await booted()]
        expect(order.at(-1)).toBe('bootfleet-1')
      }
    },
  )

  test('a rollback to a proven one: it or what runs boots', { timeout }, async () => {
    await bench.open().activate(next, { activation: 2, counted: false })
    const rollback = async (loader: Loader): Promise<void> =>
      loader.activate(old, { activation: 3, counted: false })
    const ledger = [running({ current: false }), known(next, { activation: 2, blessed: true, current: true })]
    await expectRepaired(rollback, ledger, ['bootfleet-2', 'bootfleet-3'])
  })

  test.each(['bless', 'markBad'] as const)(
    '%s: the old one stays as a way back',
    { timeout },
    async (verb) => {
      await bench.open().activate(next, { activation: 2, counted: true })
      const change = async (loader: Loader): Promise<void> => loader[verb](next)
      const facts = verb === 'bless' ? { blessed: true } : { bad: true }
      await expectRepaired(
        change,
        [running(), known(next, { activation: 2, ...facts })],
        ['bootfleet-1', 'bootfleet-2'],
      )
    },
  )

  test('clearing away: entries go before the kernels they name', { timeout }, async () => {
    await bench.open().activate(next, { activation: 2, counted: false })
    await bench.open().stage(await files.deployment('c', 1, systemOf('b')))
    const clear = async (loader: Loader): Promise<unknown> => loader.keepOnly([old.id])
    await expectRepaired(clear, [running()], ['bootfleet-1', 'bootfleet-2'])
  })

  test('a repair that is cut is finished by the next one', { timeout }, async () => {
    await bench.open().activate(next, { activation: 2, counted: true })
    const { 'bootfleet/env': _env, ...rest } = await content()
    await restore({ ...rest, 'bootfleet/entries.cfg': (rest['bootfleet/entries.cfg'] ?? '').slice(0, -80) })
    const ledger = [running({ current: false }), known(next, { activation: 2, current: true })]
    const repair = async (loader: Loader): Promise<unknown> => loader.repair(ledger)
    // Until then the file is torn, and the machine's own entries boot.
    expect(await expectRepaired(repair, ledger, ['bootfleet-1', 'bootfleet-2', null])).toBeGreaterThan(5)
    expect(await booted()).toBe('bootfleet-2')
  })
})
