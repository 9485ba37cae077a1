import { readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

type Repaired = { done: readonly string[] }

/** Dozens of runs of the program in each. */
const timeout = 120_000

describe('what a boot has shown', () => {
  let depot: Depot
  let machine: Machine
  let second = ''
  const activateSecond = async (): Promise<void> => {
    second = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', second)
  }
  const done = async (): Promise<readonly string[]> => (await machine.json<Repaired>('repair')).done
  const root = async (id: string): Promise<string> => machine.value('get-root', id)
  const entries = (): string => join(machine.sysroot.directory, 'efi/loader/entries')
  const setDefault = async (id: string): Promise<void> => {
    await execa('btrfs', ['subvolume', 'set-default', await root(id)])
  }

  beforeAll(async () => {
    depot = await openDepot()
  })
  afterAll(async () => depot.close())
  afterEach(async () => machine.close())

  describe('with systemd-boot', () => {
    beforeEach(async () => {
      machine = await openMachine(depot, 'systemd-boot')
    })

    test(
      'a deployment that never came up is bad, with the tries told, and refused',
      { timeout },
      async () => {
        await activateSecond()
        await machine.bootInVain()
        const [line = '', ...rest] = await done()
        expect(line).toMatch(
          new RegExp(
            `^marked ${second} bad: it did not come up: entry \\S+\\+0-3\\.conf after 3 tries, 0 left$`,
          ),
        )
        expect(rest).toEqual([`made ${machine.first}, which runs, the default; it was ${second}`])
        const status = await machine.status()
        expect(status).toMatchObject({
          current: { id: machine.first },
          default: { id: machine.first },
          rollback: null,
          activated: null,
        })
        expect(status.deployments.find(({ id }) => id === second)).toMatchObject({
          bad: expect.stringMatching(/^did not come up: entry \S+ after 3 tries, 0 left$/) as string,
          triesLeft: 0,
        })
        expect(await done()).toEqual([])
        const refused = await machine.snap('activate', second)
        expect(refused).toMatchObject({ status: 4, stdout: '' })
        expect(refused.stderr).toContain('it is marked bad: did not come up')
        await machine.value('bless', second)
        await machine.value('activate', second)
        await machine.boot()
        expect((await machine.status()).current?.id).toBe(second)
      },
    )

    test(
      'a deployment that came up at its second try stays on trial until it is blessed',
      { timeout },
      async () => {
        await activateSecond()
        await machine.boot()
        await machine.boot()
        expect(await done()).toEqual([])
        expect(await machine.status()).toMatchObject({
          current: { id: second, blessed: false, triesLeft: 1 },
          rollback: { id: machine.first },
          activated: { id: second },
        })
        await machine.value('bless')
        expect(await machine.status()).toMatchObject({
          current: { id: second, blessed: true, triesLeft: null },
          activated: null,
        })
      },
    )

    test('an entry that systemd-bless-boot made good is taken for a blessing', { timeout }, async () => {
      await activateSecond()
      await machine.boot()
      const counted = (await readdir(entries())).find((name) => name.includes('+2-1')) ?? ''
      await rename(join(entries(), counted), join(entries(), counted.replace('+2-1', '')))
      expect(await done()).toEqual([`blessed ${second}: its entry is good`])
      expect(await machine.status()).toMatchObject({
        current: { id: second, blessed: true },
        activated: null,
      })
    })

    test(
      'a choice in the boot menu is kept to, and what was passed over is told as not tried',
      { timeout },
      async () => {
        await activateSecond()
        await machine.sysroot.rebootTo(await root(machine.first))
        expect((await done()).join('\n')).toMatch(/did not come up: entry \S+\+3-0\.conf was not tried/)
        await machine.boot()
        expect((await machine.status()).current?.id).toBe(machine.first)
      },
    )

    test('a default that differs from what the entries booted follows it', { timeout }, async () => {
      second = await machine.value('deploy', machine.imageIds[2])
      await setDefault(second)
      await machine.boot()
      expect(await done()).toEqual([`made ${machine.first}, which runs, the default; it was ${second}`])
    })

    test('a switch that waits for its reboot is left alone', { timeout }, async () => {
      second = await machine.value('deploy', machine.imageIds[2])
      await machine.value('switch', second)
      expect(await done()).toEqual([])
      expect(await machine.status()).toMatchObject({ default: { id: second }, activated: { id: second } })
      await machine.boot()
      expect((await machine.status()).current?.id).toBe(second)
    })

    test('a ledger that was lost comes back with what the entries know', { timeout }, async () => {
      await activateSecond()
      await machine.boot()
      await machine.value('bless')
      const third = await machine.value('deploy', machine.imageIds[3])
      await machine.value('activate', third)
      await machine.bootInVain()
      await writeFile(join(machine.sysroot.store, 'ledger.json'), '{')
      await machine.value('repair')
      const status = await machine.status()
      expect(status).toMatchObject({
        current: { id: second, blessed: true, activation: 2 },
        default: { id: second },
        rollback: { id: machine.first, activation: 1 },
      })
      expect(status.deployments.find(({ id }) => id === third)).toMatchObject({
        staged: true,
        activation: 3,
        bad: expect.stringContaining('+0-3.conf is bad') as string,
      })
      expect(await machine.json('rollback')).toMatchObject({ id: machine.first, activation: 4 })
    })
  })

  describe('without a loader', () => {
    beforeEach(async () => {
      machine = await openMachine(depot, 'none')
    })

    test(
      'what was activated and does not run after a boot is bad, and the default is what runs',
      { timeout },
      async () => {
        await activateSecond()
        await machine.sysroot.rebootTo(await root(machine.first))
        expect(await done()).toEqual([
          `marked ${second} bad: it did not come up: something else was booted`,
          `made ${machine.first}, which runs, the default; it was ${second}`,
        ])
        expect((await machine.snap('activate', second)).status).toBe(4)
      },
    )

    test('a default that somebody set is their wish', { timeout }, async () => {
      second = await machine.value('deploy', machine.imageIds[2])
      await setDefault(second)
      expect(await done()).toEqual([])
      expect((await machine.status()).default?.id).toBe(second)
      await machine.boot()
      expect(await done()).toEqual([])
      expect((await machine.status()).current?.id).toBe(second)
    })

    test('a switch made after an activation is what counts', { timeout }, async () => {
      await activateSecond()
      const copy = await machine.value('create-snapshot', machine.imageIds[3])
      await machine.value('switch', copy)
      await machine.boot()
      expect(await done()).toEqual([])
      expect(await machine.status()).toMatchObject({ current: { id: copy, staged: false }, activated: null })
      expect((await machine.status()).deployments.map(({ bad }) => bad)).toEqual([null, null, null])
    })
  })
})
