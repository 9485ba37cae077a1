import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Depot, Machine } from './testing/machine.ts'
import { openDepot, openMachine } from './testing/machine.ts'
import { systemTree } from './testing/registry.ts'

/** What a kernel makes of a disk that begins to fail. */
describe('a file system that became read-only', () => {
  let depot: Depot
  let machine: Machine

  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'none')
  })
  afterAll(async () => {
    await machine.close()
    await depot.close()
  })

  const remount = async (mode: 'ro' | 'rw'): Promise<void> => {
    const { directory } = machine.sysroot
    for (const at of [join(directory, 'var'), directory]) await execa('mount', ['-o', `remount,${mode}`, at])
  }

  test('what only looks goes on, and what changes something says in one line that it cannot', async () => {
    const ledger = join(machine.sysroot.store, 'ledger.json')
    const before = { ledger: await readFile(ledger, 'utf8'), status: await machine.status() }
    const newer = await depot.registry.push('os:newer', [systemTree('newer')])
    await remount('ro')
    try {
      expect(await machine.value('get-current')).toBe(machine.first)
      expect(await machine.status()).toEqual(before.status)
      expect(await machine.value('list-images')).toContain(machine.imageIds[2])
      for (const words of [
        ['deploy', machine.imageIds[2]],
        ['create-snapshot', machine.imageIds[2]],
        ['switch', machine.first],
        ['delete', '--id', machine.imageIds[3]],
        ['pull', `${depot.registry.address}/os@${newer}`],
      ]) {
        const { status, stdout, stderr } = await machine.snap(...words)
        expect({ words, status, stdout }).toEqual({ words, status: 1, stdout: '' })
        expect(stderr).toMatch(/^container-snap: [^\n]*[Rr]ead-only file system[^\n]*\n$/)
      }
      expect(await readFile(ledger, 'utf8')).toBe(before.ledger)
    } finally {
      await remount('rw')
    }
    expect(await machine.value('deploy', machine.imageIds[2])).toMatch(/-work1$/)
  })
})
