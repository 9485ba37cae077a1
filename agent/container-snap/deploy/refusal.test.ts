import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'
import { openSysroot } from '../testing/sysroot.ts'

type Deployed = { id: string; conflicts: readonly string[] }

/** Dozens of runs of the program in each. */
const timeout = 120_000

describe('what deploy and its companions allow', () => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
    machine = await openMachine(depot, 'systemd-boot')
  }, timeout)
  afterAll(async () => {
    await machine.close()
    await depot.close()
  })
  const expectRefused = async (args: readonly string[], words: string): Promise<void> => {
    const outcome = await machine.snap(...args)
    expect(outcome).toMatchObject({ status: 4, stdout: '' })
    expect(outcome.stderr).toContain(words)
  }
  const entryOf = async (id: string): Promise<string | null> =>
    (await machine.status()).deployments.find((one) => one.id === id)?.entry ?? null

  test('the first deployment has nothing to go back to, and is not deleted', { timeout }, async () => {
    await expectRefused(['rollback'], 'no other deployment has proven itself')
    await expectRefused(['delete', '--id', machine.first], 'it is running')
    await expectRefused(['delete', '--cascade', '--id', machine.imageIds[1]], 'it is running')
  })

  test(
    'an image is found by id, by digest and by the name it was pulled by, and else not',
    { timeout },
    async () => {
      const name = `${depot.registry.address}/os@${depot.digests[2]}`
      const ids = new Set<string>()
      for (const image of [machine.imageIds[2], depot.digests[2], name, `docker://${name}`]) {
        ids.add((await machine.json<Deployed>('deploy', image)).id)
      }
      // Nothing changed in between, so each call finds what the first one made.
      expect([...ids]).toEqual([`${machine.imageIds[2]}-work1`])
      for (const image of ['example.org/no:1', `sha256:${'0'.repeat(64)}`, '0'.repeat(64)]) {
        expect(await machine.snap('deploy', image)).toMatchObject({ status: 3, stdout: '' })
      }
    },
  )

  test('an /etc that changed since needs another deployment', { timeout }, async () => {
    await writeFile(join(machine.sysroot.directory, 'etc/later.conf'), 'later\n')
    const { id, conflicts } = await machine.json<Deployed>('deploy', machine.imageIds[2])
    expect([id, conflicts]).toEqual([`${machine.imageIds[2]}-work2`, []])
  })

  test('several deploys at once end in one deployment or in whole ones', { timeout }, async () => {
    const ids = await Promise.all([
      machine.value('deploy', machine.imageIds[3]),
      machine.value('deploy', machine.imageIds[3]),
      machine.value('deploy', machine.imageIds[2]),
    ])
    const { deployments } = await machine.status()
    for (const id of ids) expect(deployments).toContainEqual(expect.objectContaining({ id, staged: true }))
    expect(await machine.json('repair')).toEqual({ done: [] })
  })

  test(
    "an image's own subvolume gets no entry; a bare copy gets its own on the way",
    { timeout },
    async () => {
      await expectRefused(['switch', machine.imageIds[3]], 'container-snap deploy')
      const copy = await machine.value('create-snapshot', machine.imageIds[3])
      expect(await entryOf(copy)).toBeNull()
      expect(await machine.snap('switch', copy)).toEqual({ status: 0, stdout: '', stderr: '' })
      expect(await entryOf(copy)).toMatch(/\+3-0\.conf$/)
      expect(await machine.status()).toMatchObject({ default: { id: copy }, rollback: { id: machine.first } })
    },
  )

  test(
    'rollback takes back what waits for its boot, and --bad says why it must not come again',
    { timeout },
    async () => {
      const waiting = (await machine.status()).default?.id ?? ''
      expect(await machine.json('rollback', '--bad', 'not wanted')).toMatchObject({
        id: machine.first,
        bad: waiting,
      })
      const { default: next, deployments } = await machine.status()
      expect(next?.id).toBe(machine.first)
      expect(deployments.find(({ id }) => id === waiting)).toMatchObject({ bad: 'not wanted', triesLeft: 0 })
      await expectRefused(['activate', waiting], 'it is marked bad: not wanted')
      await machine.value('delete', '--id', waiting)
      const names = await readdir(join(machine.sysroot.directory, 'efi/loader/entries'))
      expect(names.filter((name) => name.includes('+0-'))).toEqual([])
    },
  )

  test('a pinned copy is not deleted until it is unpinned', { timeout }, async () => {
    const id = `${machine.imageIds[2]}-work1`
    await machine.value('pin', id)
    await expectRefused(['delete', '--id', id], 'it is pinned')
    await machine.value('unpin', id)
    expect(await machine.snap('delete', '--id', id)).toEqual({ status: 0, stdout: '', stderr: '' })
    await expectRefused(['pin', machine.imageIds[2]], 'it is an image')
  })

  test('the way back is not deleted, and what it may go back from is', { timeout }, async () => {
    const second = await machine.value('deploy', machine.imageIds[2])
    await machine.value('activate', second)
    await expectRefused(['delete', '--id', second], 'queued for the next boot')
    await machine.boot()
    await machine.value('bless')
    await expectRefused(['delete', '--id', machine.first], "this machine's way back")
    expect(await machine.value('status')).toMatch(
      new RegExp(`\\nrollback ${machine.first}\\n[^]*${second}\\n {2}current, default, blessed, activation`),
    )
  })

  test('a root that is no deployment needs to be told what its /etc was', { timeout }, async () => {
    const sysroot = await openSysroot()
    const { program, registry, digests } = depot
    const at = ['--sysroot', sysroot.directory]
    await mkdir(join(sysroot.directory, 'etc'))
    await writeFile(join(sysroot.directory, 'etc/local.conf'), 'changed here\n')
    await program.value(...at, 'pull', `${registry.address}/os@${digests[1]}`)
    const refused = await program.run(...at, 'deploy', digests[1])
    expect(refused).toMatchObject({ status: 4, stdout: '' })
    expect(refused.stderr).toContain('give --etc-base IMAGE, or DIR')
    const ofBase = async (base: string): Promise<string> => {
      const id = await program.value(...at, 'deploy', digests[1], '--etc-base', base)
      return readFile(join(await program.value(...at, 'get-root', id), 'etc/local.conf'), 'utf8')
    }
    expect(await ofBase(digests[1])).toBe('changed here\n')
    expect(await ofBase(join(sysroot.directory, 'etc'))).toBe('as shipped\n')
    const carried = join(sysroot.directory, 'var/carried')
    await mkdir(join(carried, 'base'), { recursive: true })
    await mkdir(join(carried, 'etc'))
    await writeFile(join(carried, 'etc/vendor.conf'), 'carried\n')
    const over = ['--etc-base', join(carried, 'base'), '--etc', join(carried, 'etc')]
    const id = await program.value(...at, 'deploy', digests[1], ...over)
    expect(await program.value(...at, 'deploy', digests[1], ...over)).toBe(id)
    const root = await program.value(...at, 'get-root', id)
    expect(await readFile(join(root, 'etc/vendor.conf'), 'utf8')).toBe('carried\n')
    expect(await readFile(join(root, 'etc/local.conf'), 'utf8')).toBe('as shipped\n')
    expect(await program.run(...at, 'deploy', digests[1], '--etc', carried)).toMatchObject({ status: 2 })
    await sysroot.close()
  })
})
