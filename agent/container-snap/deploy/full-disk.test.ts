import { appendFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

describe('on a disk without a byte left', () => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
  })
  afterAll(async () => depot.close())
  beforeEach(async () => {
    machine = await openMachine(depot, 'none')
  })
  afterEach(async () => machine.close())

  const fill = async (): Promise<void> => {
    const file = join(machine.sysroot.directory, 'var/full')
    for (const sizeBytes of [1024 * 1024, 4096]) {
      const chunk = Buffer.alloc(sizeBytes, 'x')
      while (
        await appendFile(file, chunk, { flush: true }).then(
          () => true,
          () => false,
        )
      );
    }
    await expect(
      writeFile(join(machine.sysroot.directory, 'var/one-more'), Buffer.alloc(65_536), { flush: true }),
    ).rejects.toThrow('ENOSPC')
  }

  test('what is on trial can be left, blessed and repaired, and what is not needed goes', async () => {
    const id = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', id)
    await machine.boot()
    await fill()
    expect(await machine.json('repair')).toEqual({ done: [] })
    await machine.value('bless')
    await machine.value('rollback', machine.first, '--bad', 'too large')
    await machine.boot()
    await rm(join(machine.sysroot.directory, 'var/full'))
    await machine.value('pin', machine.first) // with room again, room is kept back again
    await fill()
    const { removed } = await machine.json<{ removed: { id: string }[] }>('gc', '--keep', '0')
    expect(removed.map((one) => one.id)).toEqual(expect.arrayContaining([id, machine.imageIds[3]]))
    expect((await machine.status()).default?.id).toBe(machine.first)
  })
})
