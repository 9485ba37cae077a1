import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Depot, Machine } from '../testing/machine.ts'
import { openDepot, openMachine } from '../testing/machine.ts'

type Deployed = {
  id: string
  imageId: string
  digest: string
  manifestDigest: string
  conflicts: readonly string[]
}

describe('deploy and activate', () => {
  let depot: Depot
  let machine: Machine
  beforeAll(async () => {
    depot = await openDepot()
  })
  afterAll(async () => depot.close())
  beforeEach(async () => {
    machine = await openMachine(depot, 'systemd-boot')
  })
  afterEach(async () => machine.close())
  const inEtc = (name: string): string => join(machine.sysroot.directory, 'etc', name)

  test('a deployment has the new image and what was changed here, and boots nothing differently', async () => {
    await writeFile(inEtc('local.conf'), 'changed here\n')
    await writeFile(inEtc('vendor.conf'), 'changed here too\n')
    const deployed = await machine.json<Deployed>('deploy', machine.imageIds[2])
    expect(deployed).toMatchObject({
      id: `${machine.imageIds[2]}-work1`,
      imageId: machine.imageIds[2],
      digest: depot.digests[2],
      conflicts: ['vendor.conf'],
    })
    const root = await machine.value('get-root', deployed.id)
    expect(await readFile(join(root, 'etc/local.conf'), 'utf8')).toBe('changed here\n')
    expect(await readFile(join(root, 'etc/vendor.conf'), 'utf8')).toBe('changed here too\n')
    expect(await readFile(join(root, 'usr/bin/tool'), 'utf8')).toBe('tool 2')
    const status = await machine.status()
    expect(status).toMatchObject({
      loader: 'systemd-boot',
      current: { id: machine.first, blessed: true, activation: 1, triesLeft: null },
      default: { id: machine.first },
      rollback: null,
      activated: null,
    })
    expect(status.deployments.find(({ id }) => id === deployed.id)).toMatchObject({
      staged: true,
      blessed: false,
      bad: null,
      activation: null,
      entry: expect.stringMatching(/\.staged$/) as string,
    })
  })

  test('what a plan wants on the kernel line comes into the entry, and a repair writes it again', async () => {
    const words = ['--karg', 'mitigations=off', '--karg', 'hugepages=64']
    const { id } = await machine.json<Deployed>('deploy', ...words, machine.imageIds[1])
    expect((await machine.json<Deployed>('deploy', ...words, machine.imageIds[1])).id).toBe(id)
    await machine.json('activate', id)
    const entries = join(machine.sysroot.directory, 'efi/loader/entries')
    const file = async (): Promise<string> =>
      (await readdir(entries)).find((name) => name.includes('-2+')) ?? 'none'
    const written = await readFile(join(entries, await file()), 'utf8')
    expect(written).toMatch(/^options root=.* rw mitigations=off hugepages=64$/m)
    expect((await machine.status()).kernelLine).toEqual([])
    await machine.boot()
    await rm(join(entries, await file()))
    await machine.json('repair')
    const again = await readFile(join(entries, await file()), 'utf8')
    expect(again).toMatch(/ rw mitigations=off hugepages=64$/m)
    expect((await machine.status()).kernelLine).toEqual([
      { argument: 'mitigations=off', source: 'host' },
      { argument: 'hugepages=64', source: 'host' },
    ])
    const bare = await machine.json<Deployed>('deploy', machine.imageIds[1])
    expect(bare.id).not.toBe(id)
  })

  test('what was changed in /etc after the deploy is there after the activation too', async () => {
    await writeFile(inEtc('local.conf'), 'changed here\n')
    const { id } = await machine.json<Deployed>('deploy', machine.imageIds[2])
    const root = await machine.value('get-root', id)
    await rm(inEtc('local.conf'))
    await writeFile(inEtc('late.conf'), 'changed after the deploy\n')
    expect(await machine.json('activate', id)).toEqual({ id, activation: 2 })
    expect(await readFile(join(root, 'etc/late.conf'), 'utf8')).toBe('changed after the deploy\n')
    await expect(readFile(join(root, 'etc/local.conf'))).rejects.toThrow('ENOENT')
    expect((await readdir(root)).filter((name) => name.includes('etc'))).toEqual(['etc'])
    await machine.sysroot.reboot()
    expect(await machine.json('repair')).toEqual({ done: [] })
    expect(await machine.status()).toMatchObject({ current: { id }, activated: { id } })
  })

  test('a deployment whose /etc was changed by hand is activated as it is', async () => {
    const { id } = await machine.json<Deployed>('deploy', machine.imageIds[2])
    const root = await machine.value('get-root', id)
    await writeFile(join(root, 'etc/by-hand.conf'), 'changed in the copy\n')
    await writeFile(inEtc('late.conf'), 'changed after the deploy\n')
    expect(await machine.json('activate', id)).toEqual({ id, activation: 2 })
    expect(await readFile(join(root, 'etc/by-hand.conf'), 'utf8')).toBe('changed in the copy\n')
  })

  test('from version to version and back the activations only grow', async () => {
    const second = await machine.value('deploy', machine.imageIds[2])
    expect(await machine.json('activate', second)).toEqual({ id: second, activation: 2 })
    expect(await machine.status()).toMatchObject({
      current: { id: machine.first },
      default: { id: second, triesLeft: 3, entry: expect.stringMatching(/\+3-0\.conf$/) as string },
      rollback: { id: machine.first },
      activated: { id: second, activation: 2 },
    })
    await machine.sysroot.reboot()
    expect(await machine.json('repair')).toEqual({ done: [] })
    await machine.value('bless')
    expect(await machine.status()).toMatchObject({
      current: { id: second, blessed: true, triesLeft: null },
      rollback: { id: machine.first },
      activated: null,
    })
    expect(await machine.json('rollback')).toEqual({ id: machine.first, activation: 3, bad: null })
    await machine.sysroot.reboot()
    await machine.value('repair')
    expect(await machine.status()).toMatchObject({
      current: { id: machine.first, activation: 3, triesLeft: null },
      rollback: { id: second },
    })
    expect(await machine.json('activate', second)).toEqual({ id: second, activation: 4 })
  })
})
