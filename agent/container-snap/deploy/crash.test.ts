import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

type Repaired = { done: readonly string[] }

const deploySteps = ['copy-intended', 'copy-made', 'etc-merged', 'deployment-synced', 'entry-staged'] as const
const exchangeSteps = [
  'etc-merged-again',
  'etc-exchange-intended',
  'etc-exchanged-half',
  'etc-exchanged',
] as const
/** Dozens of runs of the program in each. */
const timeout = 300_000

const loaders = ['none', 'systemd-boot'] as const

/** What boots after a crash there. */
const activateSteps = [
  { step: 'activation-intended', none: 'old', 'systemd-boot': 'old' },
  { step: 'activation-synced', none: 'old', 'systemd-boot': 'old' },
  { step: 'entry-activated', none: 'old', 'systemd-boot': 'new' },
  { step: 'default-set', none: 'new', 'systemd-boot': 'new' },
  { step: 'default-synced', none: 'new', 'systemd-boot': 'new' },
  { step: 'activation-recorded', none: 'new', 'systemd-boot': 'new' },
] as const

/** Between the others nothing changes that a boot could see; test/powercut cuts at all of them. */
const bootSteps = activateSteps.filter(({ step }) => !step.endsWith('-synced'))

describe.each(loaders)('with the loader %s, a crash', (kind) => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
  })
  afterAll(async () => depot.close())
  beforeEach(async () => {
    machine = await openMachine(depot, kind)
  })
  afterEach(async () => machine.close())

  const copies = async (): Promise<number> => {
    const names = await readdir(join(machine.sysroot.store, 'snapshots/btrfs/subvolumes'))
    return names.filter((name) => name.includes('-work')).length
  }

  test(
    'anywhere in deploy boots nothing differently, and leaves nothing once it is repaired',
    { timeout },
    async () => {
      for (const step of deploySteps) {
        await machine.cutAt(step, 'deploy', machine.imageIds[2])
        await machine.boot()
        const { done } = await machine.json<Repaired>('repair')
        if (step !== 'copy-intended') expect(done.join()).toContain('its deploy did not end')
        expect({ step, copies: await copies() }).toEqual({ step, copies: 1 })
        const { current, default: next, deployments } = await machine.status()
        expect([step, current?.id, next?.id, deployments.length]).toEqual([
          step,
          machine.first,
          machine.first,
          1,
        ])
        expect(await machine.json('repair')).toEqual({ done: [] })
      }
    },
  )

  test('anywhere in deploy is made good by the next deploy', { timeout }, async () => {
    for (const step of deploySteps) {
      await machine.cutAt(step, 'deploy', machine.imageIds[2])
      const id = await machine.value('deploy', machine.imageIds[2])
      expect({ step, copies: await copies() }).toEqual({ step, copies: 2 })
      await machine.value('delete', '--id', id)
    }
  })

  test(
    'anywhere in a second merge of /etc leaves the deployment whole or none, and the next one works',
    { timeout },
    async () => {
      for (const step of exchangeSteps) {
        const id = await machine.value('deploy', machine.imageIds[2])
        await writeFile(join(machine.sysroot.directory, 'etc/late.conf'), step)
        await machine.cutAt(step, 'activate', id)
        await machine.boot()
        await machine.value('repair')
        const { current, default: next, deployments } = await machine.status()
        expect([step, current?.id, next?.id]).toEqual([step, machine.first, machine.first])
        const isWhole = step === 'etc-merged-again' || step === 'etc-exchanged'
        expect([step, deployments.length]).toEqual([step, isWhole ? 2 : 1])
        const again = isWhole ? id : await machine.value('deploy', machine.imageIds[2])
        await machine.value('activate', again)
        const root = await machine.value('get-root', again)
        expect(await readFile(join(root, 'etc/late.conf'), 'utf8')).toBe(step)
        expect((await readdir(root)).filter((name) => name.startsWith('.etc'))).toEqual([])
        await machine.value('rollback', machine.first)
        await machine.value('delete', '--id', again)
      }
    },
  )

  test('after deploy is done keeps the deployment', { timeout }, async () => {
    await machine.cutAt('deployment-recorded', 'deploy', machine.imageIds[2])
    expect(await machine.json('repair')).toEqual({ done: [] })
    const id = `${machine.imageIds[2]}-work1`
    expect((await machine.status()).deployments).toContainEqual(expect.objectContaining({ id, staged: true }))
  })

  test(
    'anywhere in activate, repaired at once, leaves old or new whole, and again works',
    { timeout },
    async () => {
      const id = await machine.value('deploy', machine.imageIds[2])
      let activation = 1
      for (const { step, [kind]: expected } of activateSteps) {
        await machine.cutAt(step, 'activate', id)
        await machine.value('repair')
        const { default: next, activated } = await machine.status()
        expect([step, next?.id, activated?.id]).toEqual(
          expected === 'new' ? [step, id, id] : [step, machine.first, undefined],
        )
        const again = await machine.json<{ activation: number }>('activate', id)
        expect(again.activation).toBeGreaterThan(activation)
        ;({ activation } = await machine.json<{ activation: number }>('rollback'))
        expect([step, (await machine.status()).default?.id]).toEqual([step, machine.first])
      }
    },
  )

  test(
    'anywhere in activate, with a boot after it, runs old or new, and the default is what runs',
    { timeout },
    async () => {
      const id = await machine.value('deploy', machine.imageIds[2])
      for (const { step, [kind]: expected } of bootSteps) {
        await machine.cutAt(step, 'activate', id)
        await machine.boot()
        await machine.value('repair')
        const { current, default: next, deployments } = await machine.status()
        const wanted = expected === 'new' ? id : machine.first
        expect([step, current?.id, next?.id]).toEqual([step, wanted, wanted])
        expect([step, ...deployments.map(({ bad }) => bad)]).toEqual([step, null, null])
        expect({ step, ...(await machine.json<Repaired>('repair')) }).toEqual({ step, done: [] })
        await machine.value('rollback', machine.first)
        await machine.boot()
        await machine.value('repair')
        expect([step, (await machine.status()).current?.id]).toEqual([step, machine.first])
      }
    },
  )

  test(
    'anywhere in rolling back a bad one ends on the old one with the other marked',
    { timeout },
    async () => {
      const id = await machine.value('deploy', machine.imageIds[2])
      const steps = [...bootSteps.map(({ step }) => step), 'entry-marked-bad']
      for (const step of steps) {
        await machine.value('activate', id)
        await machine.boot()
        await machine.value('repair')
        await machine.cutAt(step, 'rollback', '--bad', 'it burns')
        await machine.value('repair')
        await machine.boot()
        await machine.value('repair')
        const { current, default: next, deployments } = await machine.status()
        expect([step, current?.id, next?.id]).toEqual([step, machine.first, machine.first])
        expect([step, deployments.find((one) => one.id === id)?.bad]).toEqual([step, 'it burns'])
        await machine.value('bless', id)
        await machine.value('repair')
      }
    },
  )

  test('in taking back what waits for its boot does not boot it unwatched', { timeout }, async () => {
    const id = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', id)
    await machine.cutAt('activation-intended', 'rollback')
    expect(await machine.json('repair')).toEqual({ done: [`finished going back to ${machine.first}`] })
    await machine.boot()
    await machine.value('repair')
    const { current, default: next, deployments } = await machine.status()
    expect([current?.id, next?.id]).toEqual([machine.first, machine.first])
    expect(deployments.map(({ bad }) => bad)).toEqual([null, null])
  })

  test('in bless is made good by the next one', { timeout }, async () => {
    const id = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', id)
    await machine.boot()
    await machine.cutAt('entry-blessed', 'bless')
    await machine.value('bless')
    expect(await machine.status()).toMatchObject({
      current: { id, blessed: true, triesLeft: null },
      activated: null,
    })
  })
})
