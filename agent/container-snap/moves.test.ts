import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askerOf } from './asker.ts'
import type { Depot, Machine } from './testing/machine.ts'
import { openDepot, openMachine } from './testing/machine.ts'

/** Dozens of runs of the program in each. */
const timeout = 180_000

describe('what a person made boot next', () => {
  let depot: Depot
  let machine: Machine
  let second = ''

  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'systemd-boot')
    second = await machine.value('deploy', machine.imageIds[2])
  }, timeout)
  afterAll(async () => {
    await machine.close()
    await depot.close()
  }, timeout)

  const under = async (env: Readonly<Record<string, string>>, ...words: string[]): Promise<void> => {
    await depot.program.under(env).value('--sysroot', machine.sysroot.directory, ...words)
  }

  test('is told with who and when, until the agent moves it', { timeout }, async () => {
    await under({ SUDO_USER: 'kim' }, 'activate', second)
    expect((await machine.status()).moved).toMatchObject({
      to: second,
      digest: depot.digests[2],
      user: 'kim',
      command: 'activate',
      at: expect.stringMatching(/^20\d\d-/) as string,
    })
    await under({ CONTAINER_SNAP_ASKED_BY: 'agent', SUDO_USER: 'kim' }, 'rollback', machine.first)
    expect((await machine.status()).moved).toBeNull()
  })

  test(
    'stays told after a boot, and after an image of theirs that did not come up',
    { timeout },
    async () => {
      await under({ SUDO_USER: 'ann' }, 'switch', second)
      await machine.bootInVain()
      await machine.value('repair')
      const { moved, current } = await machine.status()
      expect(current?.id).toBe(machine.first)
      expect(moved).toMatchObject({ to: second, user: 'ann', command: 'switch' })
      expect(await machine.value('status')).toContain(`moved    to ${second} by ann with switch, 20`)
    },
  )

  test('is told also where the power went before it counted', { timeout }, async () => {
    await machine.value('bless', second)
    await under({ CONTAINER_SNAP_ASKED_BY: 'agent' }, 'activate', second)
    const words = ['--sysroot', machine.sysroot.directory, 'rollback', machine.first]
    await depot.program.under({ SUDO_USER: 'bo', FAILPOINT_KILL: 'activation-intended' }).run(...words)
    expect((await machine.status()).moved).toMatchObject({ user: 'bo', command: 'rollback' })
  })

  test('is over where programs that know of no moves activated something since', { timeout }, async () => {
    const path = join(machine.sysroot.store, 'ledger.json')
    await under({ SUDO_USER: 'kim' }, 'activate', second)
    const { moved } = await machine.ledger()
    await under({ CONTAINER_SNAP_ASKED_BY: 'agent' }, 'activate', machine.first)
    // They keep what they do not know.
    await writeFile(path, JSON.stringify({ ...(await machine.ledger()), moved }))
    expect((await machine.status()).moved).toBeNull()
    await under({ SUDO_USER: 'kim' }, 'activate', second)
    expect((await machine.status()).moved).toMatchObject({ to: second, user: 'kim' })
  })
})

describe('what a machine changed in /etc', () => {
  let depot: Depot
  let machine: Machine

  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'none')
  }, timeout)
  afterAll(async () => {
    await machine.close()
    await depot.close()
  }, timeout)

  test(
    'is listed by name against its image, without what every machine has of its own',
    { timeout },
    async () => {
      const etc = join(machine.sysroot.directory, 'etc')
      expect(await machine.value('etc-diff')).toBe('')
      await writeFile(join(etc, 'local.conf'), 'another text than was shipped\n')
      await writeFile(join(etc, 'added.conf'), 'new\n')
      await writeFile(join(etc, 'machine-id'), '0123456789abcdef0123456789abcdef\n')
      await rm(join(etc, 'vendor.conf'))
      expect(await machine.value('etc-diff')).toBe('+ added.conf\n~ local.conf\n- vendor.conf')
      expect(await machine.json('etc-diff')).toEqual({
        changes: [
          { path: 'added.conf', kind: 'added' },
          { path: 'local.conf', kind: 'changed' },
          { path: 'vendor.conf', kind: 'removed' },
        ],
      })
    },
  )
})

test('who asks is who logged in, and nobody can write a second line with their name', async () => {
  expect(await askerOf({ askedBy: 'agent', sudoUser: 'kim' })).toEqual({ by: 'agent' })
  expect(await askerOf({ askedBy: '', sudoUser: 'kim\nroot' })).toEqual({ by: 'person', user: 'kim?root' })
  const asker = await askerOf({ askedBy: undefined, sudoUser: undefined })
  expect(asker).toMatchObject({ by: 'person', user: expect.stringMatching(/^[\w.-]+$/) as string })
})
