import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BootFiles } from '../testing/boot-files.ts'
import { known, openBootFiles, systemOf, writeFiles } from '../testing/boot-files.ts'
import type { Content } from '../testing/cut-disk.ts'
import { cutStates, openRecordedDisk } from '../testing/cut-disk.ts'
import { parseEntryName } from './entry-name.ts'
import { parseEntry } from './entry-text.ts'
import type { BootDeployment, KnownDeployment, Loader } from './loader.ts'
import { openSystemdBoot } from './systemd-boot.ts'

const context = { signal: new AbortController().signal }
const entriesFolder = 'loader/entries/'

/** What the loader would make of it: bad ones last, the highest version first. */
function bootOrder(content: Content): { id: string; kind: string; activation: number }[] {
  const bootable = Object.entries(content).flatMap(([path, text]) => {
    const name = path.startsWith(entriesFolder) ? parseEntryName(path.slice(entriesFolder.length)) : null
    const entry = parseEntry(text)
    if (name === null || name.kind === 'staged' || entry === null) return []
    return [{ id: entry.deploymentId, kind: name.kind, activation: entry.activation }]
  })
  const last = (one: { kind: string }): number => (one.kind === 'bad' ? 1 : 0)
  return bootable.toSorted((a, b) => last(a) - last(b) || b.activation - a.activation)
}

/** Each entry that the loader takes for one is whole, and names a kernel and an initrd that are whole. */
function expectWholeKernels(content: Content): void {
  for (const [path, text] of Object.entries(content)) {
    const entry = path.startsWith(entriesFolder) && !path.endsWith('.tmp') ? parseEntry(text) : null
    // A loader boots what has a kernel, torn as its line may be.
    if (path.endsWith('.conf') && text.includes('\nlinux ')) expect(entry, `${path} is torn`).not.toBeNull()
    if (entry === null) continue
    for (const file of [entry.linux, entry.initrd]) {
      const bytes = content[file.slice(1)]
      expect(bytes, `${path} names ${file}`).toBeDefined()
      expect(file).toContain(
        createHash('sha256')
          .update(bytes ?? '')
          .digest('hex')
          .slice(0, 32),
      )
    }
  }
}

function expectOneEntryEach(content: Content): void {
  const entries = Object.entries(content).filter(([path]) => path.startsWith(entriesFolder))
  const ids = entries.map(([path, text]) => parseEntry(text)?.deploymentId ?? `torn ${path}`)
  expect(ids.filter((id) => id.startsWith('torn'))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
}

describe('a power cut anywhere in a change of the ESP', () => {
  let files: BootFiles
  let old: BootDeployment
  let next: BootDeployment
  let start: Content = {}
  const onDisk = (loaderOf: BootFiles, disk = openRecordedDisk()): Loader =>
    openSystemdBoot(context, { ...loaderOf.options, disk })
  beforeEach(async () => {
    files = await openBootFiles()
    old = await files.deployment('a', 1)
    next = await files.deployment('b', 1)
    await onDisk(files).activate(old, { activation: 1, counted: false })
  })
  afterEach(async () => files.close())

  const restore = async (content: Content): Promise<void> => {
    for (const folder of ['bootfleet', 'loader'])
      await rm(join(files.esp, folder), { recursive: true, force: true })
    await mkdir(join(files.esp, entriesFolder), { recursive: true })
    await writeFiles(files.esp, content)
  }
  const cuts = async (change: (loader: Loader) => Promise<unknown>): Promise<Content[]> => {
    start = await files.content()
    const disk = openRecordedDisk()
    await change(onDisk(files, disk))
    const relative = (path: string): string => path.slice(files.esp.length + 1)
    const changes = disk.changes.map((one) => {
      if (one.kind === 'sync') return one
      if (one.kind === 'rename') return { ...one, from: relative(one.from), to: relative(one.to) }
      return { ...one, path: relative(one.path) }
    })
    return cutStates(start, changes)
  }
  /** After each cut: whole before and after repair, a second repair finds nothing, and the change can be done again. */
  const expectRepaired = async (
    change: (loader: Loader) => Promise<unknown>,
    ledger: readonly KnownDeployment[],
    expectBoot: (order: ReturnType<typeof bootOrder>) => void,
  ): Promise<number> => {
    const states = await cuts(change)
    const end = await files.content()
    for (const state of states) {
      expectWholeKernels(state)
      expectBoot(bootOrder(state))
      await restore(state)
      const repairing = openRecordedDisk()
      await onDisk(files, repairing).repair(ledger)
      const repaired = await files.content()
      expectWholeKernels(repaired)
      expectOneEntryEach(repaired)
      expectBoot(bootOrder(repaired))
      expect(Object.keys(repaired).filter((path) => path.endsWith('.tmp'))).toEqual([])
      expect(await onDisk(files).repair(ledger)).toEqual([])
      await change(onDisk(files))
      expect(await files.content()).toEqual(end)
    }
    return states.length
  }
  const running = (facts: Partial<KnownDeployment> = {}): KnownDeployment =>
    known(old, { activation: 1, blessed: true, current: true, ...facts })
  const expectOld = (order: ReturnType<typeof bootOrder>): void =>
    expect(order[0]).toEqual({ id: old.id, kind: 'good', activation: 1 })

  test('staging: what boots is the old one, and its entry is never touched', async () => {
    const stage = async (loader: Loader): Promise<void> => loader.stage(next)
    expect(await expectRepaired(stage, [running(), known(next)], expectOld)).toBeGreaterThan(40)
  })

  test('activation: what boots is the old one or the new one, the old one always as fallback', async () => {
    await onDisk(files).stage(next)
    const activate = async (loader: Loader): Promise<void> =>
      loader.activate(next, { activation: 2, counted: true })
    await expectRepaired(activate, [running(), known(next, { activation: 2 })], (order) => {
      expect(order.at(-1)).toEqual({ id: old.id, kind: 'good', activation: 1 })
      if (order.length > 1) expect(order[0]).toEqual({ id: next.id, kind: 'counted', activation: 2 })
    })
  })

  test('a rollback to a proven one: it or what runs boots', async () => {
    await onDisk(files).activate(next, { activation: 2, counted: false })
    const rollback = async (loader: Loader): Promise<void> =>
      loader.activate(old, { activation: 3, counted: false })
    const ledger = [running({ current: false }), known(next, { activation: 2, blessed: true, current: true })]
    await expectRepaired(rollback, ledger, (order) => {
      expect(order[0]?.kind).toBe('good')
      expect(order.some((one) => one.id === next.id && one.activation === 2)).toBe(true)
    })
  })

  test('an activation of one that was tried before: its old name goes last', async () => {
    await onDisk(files).activate(next, { activation: 2, counted: false })
    const again = async (loader: Loader): Promise<void> =>
      loader.activate(next, { activation: 3, counted: true })
    await expectRepaired(again, [running(), known(next, { activation: 3 })], (order) =>
      expect(order.some((one) => one.id === old.id && one.kind === 'good')).toBe(true),
    )
  })

  test.each(['bless', 'markBad'] as const)(
    '%s: the old one stays, and the ledger decides on both names',
    async (verb) => {
      await onDisk(files).activate(next, { activation: 2, counted: true })
      const change = async (loader: Loader): Promise<void> => loader[verb](next)
      const facts = verb === 'bless' ? { blessed: true } : { bad: true }
      await expectRepaired(change, [running(), known(next, { activation: 2, ...facts })], (order) =>
        expect(order.some((one) => one.id === old.id && one.kind === 'good')).toBe(true),
      )
    },
  )

  test('clearing away: entries go before the kernels they name', async () => {
    await onDisk(files).activate(next, { activation: 2, counted: false })
    await onDisk(files).stage(await files.deployment('c', 1, systemOf('b')))
    const clear = async (loader: Loader): Promise<unknown> => loader.keepOnly([old.id])
    await expectRepaired(clear, [running()], (order) =>
      expect(order.some((one) => one.id === old.id)).toBe(true),
    )
  })

  test('a repair that is cut is finished by the next one', async () => {
    await onDisk(files).activate(next, { activation: 2, counted: true })
    const content = await files.content()
    const counted = `${entriesFolder}bootfleet-bbbbbbbbbbbb-1+3-0.conf`
    const text = content[counted] ?? ''
    await restore({
      ...content,
      [`${entriesFolder}bootfleet-bbbbbbbbbbbb-1+2-1.conf`]: text,
      [`${entriesFolder}bootfleet-aaaaaaaaaaaa-1.conf`]: '',
      [`${entriesFolder}bootfleet-aaaaaaaaaaaa-1.staged.tmp`]: 'title',
    })
    const ledger = [running(), known(next, { activation: 2 })]
    const repair = async (loader: Loader): Promise<unknown> => loader.repair(ledger)
    await expectRepaired(repair, ledger, (order) => expect(order.length).toBeGreaterThan(0))
    expect(await files.entries()).toEqual([
      'bootfleet-aaaaaaaaaaaa-1.conf',
      'bootfleet-bbbbbbbbbbbb-1+2-1.conf',
    ])
  })
})
