import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

type Repaired = { done: readonly string[] }

/** Dozens of runs of the program in each. */
const timeout = 300_000

const unitFile = join(import.meta.dirname, '../../../packaging/systemd/container-snap-bless.service')

/** What systemd makes of the packaged unit after a boot with that kernel's line. */
async function blessUnit(kernelLine: string): Promise<{ isStarted: boolean; command: readonly string[] }> {
  const unit = await readFile(unitFile, 'utf8')
  const conditions = unit.match(/^Condition.*$/gm) ?? []
  const command = /^ExecStart=\/usr\/bin\/container-snap (.+)$/m.exec(unit)?.[1]?.split(' ') ?? []
  const env = { SYSTEMD_PROC_CMDLINE: kernelLine }
  const { exitCode } = await execa('systemd-analyze', ['condition', ...conditions], { env, reject: false })
  return { isStarted: exitCode === 0, command }
}

describe('a machine that GRUB boots', () => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
  })
  afterAll(async () => depot.close())
  beforeEach(async () => {
    machine = await openMachine(depot, 'grub')
  })
  afterEach(async () => machine.close())

  const deploySecond = async (): Promise<string> => machine.value('deploy', machine.imageIds[2])

  test('shows its tries, and keeps what was blessed', { timeout }, async () => {
    const second = await deploySecond()
    await machine.value('activate', second)
    expect(await machine.status()).toMatchObject({
      loader: 'grub',
      guard: 'counted',
      default: { id: second, triesLeft: 3 },
    })
    await machine.boot()
    expect(await machine.json<Repaired>('repair')).toEqual({ done: [] })
    expect(await machine.status()).toMatchObject({
      current: { id: second, blessed: false, entry: 'bootfleet-2', triesLeft: 2 },
      rollback: { id: machine.first },
      activated: { id: second },
    })
    await machine.value('bless')
    for (const _boot of [1, 2, 3, 4]) await machine.boot()
    expect(await machine.status()).toMatchObject({
      current: { id: second, blessed: true, triesLeft: null },
      activated: null,
    })
  })

  test(
    'keeps what a person activated, by the unit that blesses a boot that is complete',
    { timeout },
    async () => {
      const second = await deploySecond()
      await machine.value('activate', second)
      const starts: boolean[] = []
      for (const _boot of [1, 2, 3, 4]) {
        await machine.boot()
        await machine.value('repair')
        const { isStarted, command } = await blessUnit(machine.kernelLine())
        starts.push(isStarted)
        if (isStarted) await machine.value(...command)
        expect(await machine.status()).toMatchObject({ current: { id: second, blessed: true } })
      }
      // Of what is not on trial, GRUB says nothing.
      expect(starts).toEqual([true, false, false, false])
      expect(await machine.status()).toMatchObject({ default: { id: second }, activated: null })
    },
  )

  test('falls back after three tries, and a repair says so', { timeout }, async () => {
    const second = await deploySecond()
    await machine.value('activate', second)
    await machine.bootInVain()
    const bad = 'did not come up: entry bootfleet-2 after 3 tries, 0 left'
    const { done } = await machine.json<Repaired>('repair')
    expect(done).toContain(`marked ${second} bad: it ${bad}`)
    const { current, default: next, deployments } = await machine.status()
    expect([current?.id, next?.id]).toEqual([machine.first, machine.first])
    expect(deployments.find(({ id }) => id === second)).toMatchObject({ bad, triesLeft: 0 })
    expect(await machine.json<Repaired>('repair')).toEqual({ done: [] })
  })

  test('is rolled back by hand, and what is marked bad is not booted again', { timeout }, async () => {
    const second = await deploySecond()
    await machine.value('activate', second)
    await machine.boot()
    await machine.value('rollback', '--bad', 'it burns')
    await machine.boot()
    expect(await machine.json<Repaired>('repair')).toEqual({ done: [] })
    expect(await machine.status()).toMatchObject({ current: { id: machine.first } })
    await machine.value('delete', '--id', second)
    expect(
      await readFile(join(machine.sysroot.directory, 'boot/bootfleet/entries.cfg'), 'utf8'),
    ).not.toContain(second)
  })

  test(
    'cut off in an activation it boots old or new, and a repair brings all else to it',
    { timeout },
    async () => {
      const second = await deploySecond()
      const steps = [
        ['activation-intended', machine.first],
        ['entry-activated', second],
        ['default-set', second],
      ] as const
      for (const [step, wanted] of steps) {
        await machine.cutAt(step, 'activate', second)
        await machine.boot()
        await machine.value('repair')
        const { current, default: next, deployments } = await machine.status()
        expect([step, current?.id, next?.id]).toEqual([step, wanted, wanted])
        expect([step, ...deployments.map(({ bad }) => bad)]).toEqual([step, null, null])
        expect({ step, ...(await machine.json<Repaired>('repair')) }).toEqual({ step, done: [] })
        await machine.value('rollback', machine.first)
        await machine.boot()
        await machine.value('repair')
      }
    },
  )

  test('without its /boot nothing is deployed, and what to do is told', { timeout }, async () => {
    await execa('umount', [join(machine.sysroot.directory, 'boot')])
    const { status, stderr } = await machine.snap('deploy', machine.imageIds[2])
    expect(status).toBe(4)
    expect(stderr).toMatch(
      /no automatic fallback: \S+ is btrfs, to which GRUB cannot write\. Mount a file system there/,
    )
    expect((await machine.snap('status')).status).toBe(0)
    const file = join(machine.sysroot.store, 'machine.json')
    const config = await readFile(file, 'utf8')
    await writeFile(file, config.replace('"tries":3', '"tries":0'))
    expect((await machine.snap('status')).stderr).toContain('loader.tries is not a number from 1 to 9')
  })
})
