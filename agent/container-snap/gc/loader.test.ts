import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

type Collected = { removed: { id: string }[]; espFreedBytes: number; freedBytes: number }

describe('gc with systemd-boot', () => {
  let depot: Depot
  let machine: Machine
  let second = ''
  let third = ''
  const gc = async (): Promise<Collected> => machine.json<Collected>('gc', '--keep', '0')
  const entries = async (): Promise<string[]> =>
    readdir(join(machine.sysroot.directory, 'efi/loader/entries'))
  const update = async (version: '2' | '3'): Promise<string> => {
    const id = await machine.value('deploy', machine.imageIds[version])
    await machine.value('activate', id)
    await machine.boot()
    await machine.value('bless')
    return id
  }

  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'systemd-boot')
    second = await update('2')
    third = await update('3')
  }, 120_000)
  afterAll(async () => {
    await machine.close()
    await depot.close()
  })

  test('cut off after any step, the entries that are left have their roots and the way back is open', async () => {
    for (const failpoint of ['gc-entries-removed', 'gc-deployment-removed', 'gc-image-removed']) {
      await machine.cutAt(failpoint, 'gc', '--keep', '0')
      await machine.boot()
      const status = await machine.status()
      expect(status).toMatchObject({
        current: { id: third },
        default: { id: third },
        rollback: { id: second },
      })
      expect(await entries()).toHaveLength(2)
    }
    expect((await gc()).removed).toEqual([])
    expect((await machine.status()).deployments.map(({ id }) => id).toSorted()).toEqual(
      [second, third].toSorted(),
    )
  }, 120_000)

  test('takes the entry and the kernels of what goes, and counts their bytes apart', async () => {
    const image = machine.imageIds[3]
    const bad = await machine.value('deploy', image)
    await machine.value('activate', bad)
    await machine.value('rollback', '--bad', 'smells')
    const { removed, espFreedBytes } = await gc()
    expect(removed.map(({ id }) => id)).toEqual([bad])
    expect(espFreedBytes).toBeGreaterThan(0)
    expect(await entries()).toHaveLength(2)
    await machine.boot()
    expect((await machine.status()).current?.id).toBe(third)
    expect(await gc()).toMatchObject({ removed: [], espFreedBytes: 0 })
  }, 120_000)

  test('says where the bytes of kernels came free in words that fit every loader', async () => {
    await machine.value('activate', await machine.value('deploy', machine.imageIds[3]))
    await machine.value('rollback', '--bad', 'smells')
    expect(await machine.value('gc', '--keep', '0')).toMatch(
      /, and \d+ bytes on the boot loader's file system$/,
    )
  }, 120_000)
})
