import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ledger } from './ledger.ts'
import type { Outcome, Program } from './testing/program.ts'
import { openProgram } from './testing/program.ts'
import type { Registry } from './testing/registry.ts'
import { openRegistry, systemTree } from './testing/registry.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

type Pulled = { imageId: string; digest: string; manifestDigest: string; sizeBytes: number }

/** What the original got wrong, each shown not to happen here. */
describe('defects of the original', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  const snap = (...args: string[]): Promise<Outcome> => program.run('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> => program.value('--sysroot', sysroot.directory, ...args)
  const pull = async (reference: string): Promise<Pulled> =>
    JSON.parse(await value('pull', '--json', `${registry.address}/${reference}`)) as Pulled
  const expectRefused = async (args: string[], reason: string): Promise<void> => {
    const outcome = await snap(...args)
    expect(outcome).toMatchObject({ status: 4, stdout: '' })
    expect(outcome.stderr).toContain(reason)
    expect(outcome.stderr.trimEnd()).not.toContain('\n')
  }

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    sysroot = await openSysroot()
    await registry.push('os:1', [systemTree('1'), { 'usr/share/note': 'one' }])
    await registry.push('os:2', [systemTree('2')])
    await registry.push('data:1', [{ 'notes/a': 'no system' }])
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
  })

  test('1: copies of one base get numbers of their own, five at once too, and none is nested in another', async () => {
    const { imageId } = await pull('os:1')
    const ids = await Promise.all(Array.from({ length: 5 }, () => value('create-snapshot', imageId)))
    expect(ids.toSorted()).toEqual([1, 2, 3, 4, 5].map((number) => `${imageId}-work${number}`))
    expect(await readdir(await value('get-root', ids[0] ?? ''))).toEqual(['etc', 'usr', 'var'])
    await value('delete', '--id', `${imageId}-work2`)
    expect(await value('create-snapshot', imageId)).toBe(`${imageId}-work6`)
  })

  test('1: a plain folder of the next number is passed over, not filled', async () => {
    const { imageId } = await pull('os:1')
    const blocker = (await value('get-root', imageId)).replace(/\/$/, '-work7')
    await mkdir(blocker)
    expect(await value('create-snapshot', imageId)).toBe(`${imageId}-work8`)
    expect(await readdir(blocker)).toEqual([])
  })

  test('2: what the next boot starts from is not deleted, an image or a copy', async () => {
    const { imageId } = await pull('os:1')
    await value('switch', imageId)
    await expectRefused(['delete', '--cascade', '--id', imageId], 'it is the default')
    await value('switch', `${imageId}-work1`)
    await expectRefused(['delete', '--id', `${imageId}-work1`], 'it is the default')
    await expectRefused(['delete', '--cascade', '--id', imageId], 'it is the default')
    expect(await readFile(`${await value('get-root', `${imageId}-work1`)}usr/share/note`, 'utf8')).toBe('one')
  })

  test('3: what runs is not deleted, whatever the default is', async () => {
    const { imageId } = await pull('os:1')
    await value('switch', `${imageId}-work1`)
    await sysroot.reboot()
    await value('switch', `${imageId}-work3`)
    await expectRefused(['delete', '--id', `${imageId}-work1`], 'it is running')
    expect(await readFile(join(sysroot.directory, 'usr/share/note'), 'utf8')).toBe('one')
  })

  test('4: an image with copies stays until --cascade takes them along', async () => {
    const { imageId } = await pull('os:2')
    const root = await value('get-root', imageId)
    await value('create-snapshot', imageId)
    await expectRefused(['delete', '--id', imageId], `${imageId}-work1 would be left without an image`)
    await value('delete', '--cascade', '--id', imageId)
    expect(await value('list-snapshots')).not.toContain(imageId)
    const names = await readdir(join(sysroot.store, 'snapshots/btrfs/subvolumes'))
    expect(names).not.toContain(basename(root))
    expect(names).not.toContain(`${basename(root)}-work1`)
  })

  test('4: a pinned copy stays, with --cascade too', async () => {
    const { imageId } = await pull('os:2')
    const id = await value('create-snapshot', imageId)
    const path = join(sysroot.store, 'ledger.json')
    const ledger = JSON.parse(await readFile(path, 'utf8')) as Ledger
    const deployments = ledger.deployments.map((one) => ({ ...one, pinned: one.id === id }))
    await writeFile(path, JSON.stringify({ ...ledger, deployments }))
    await expectRefused(['delete', '--id', id], 'it is pinned')
    await expectRefused(['delete', '--cascade', '--id', imageId], 'it is pinned')
    expect(await value('list-snapshots')).toContain(id)
  })

  test('5: pulling and deleting other images leaves the copies alone', async () => {
    const before = (await value('list-snapshots')).split('\n').filter((line) => line.includes('-work'))
    const { imageId } = await pull('data:1')
    await value('delete', '--id', imageId)
    expect((await value('list-snapshots')).split('\n').filter((line) => line.includes('-work'))).toEqual(
      before,
    )
  })

  test('6: two images with the same top layer, and their copies, are told apart', async () => {
    await registry.pushTwins('twin', systemTree('6'), ['first', 'second'])
    const first = await pull('twin:first')
    const second = await pull('twin:second')
    expect(first.imageId).not.toBe(second.imageId)
    expect(await value('get-root', first.imageId)).toBe(await value('get-root', second.imageId))
    expect(await value('create-snapshot', first.imageId)).toBe(`${first.imageId}-work1`)
    expect(await value('create-snapshot', second.imageId)).toBe(`${second.imageId}-work2`)
    expect((await snap('get-root', `${second.imageId}-work1`)).status).toBe(3)
    for (const id of [`${first.imageId}-work1`, first.imageId, second.imageId]) {
      await value('switch', id)
      expect(await value('get-default')).toBe(id)
    }
  })

  test('7: switch refuses what is no system, with the default as it was', async () => {
    const before = await value('get-default')
    const { imageId } = await pull('data:1')
    const copy = await value('create-snapshot', imageId)
    await expectRefused(['switch', copy], 'no bootable system tree, it has no os-release')
    expect(await value('get-default')).toBe(before)
  })

  test('7: switch refuses a system whose os-release is an empty file, as a power cut leaves it', async () => {
    const { imageId } = await pull('os:1')
    const copy = await value('create-snapshot', imageId)
    await writeFile(`${await value('get-root', copy)}etc/os-release`, '')
    await expectRefused(['switch', copy], 'no os-release with text in it')
  })

  test('8: on a root that is no snapshot, get-current is one clean line, and null with --json', async () => {
    const fresh = await openSysroot()
    try {
      for (const command of ['get-current', 'get-default']) {
        const outcome = await program.run('--sysroot', fresh.directory, command)
        expect(outcome).toMatchObject({ status: 3, stdout: '' })
        expect(outcome.stderr).toMatch(/^container-snap: [^\n]+\n$/)
        expect(await program.value('--sysroot', fresh.directory, command, '--json')).toBe('null')
      }
    } finally {
      await fresh.close()
    }
  })

  test('8: a sysroot that is not on btrfs is named as such, and nothing is created there', async () => {
    const outcome = await program.run('--sysroot', '/proc', 'list-images')
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: open the store .* it is not on btrfs[^\n]*\n$/)
  })

  test('9: the words of btrfs and of skopeo reach the user', async () => {
    const missing = await snap('pull', `${registry.address}/nothing:1`)
    expect(missing).toMatchObject({ status: 6, stdout: '' })
    expect(missing.stderr).toMatch(/manifest unknown[^\n]*\n$/)
    const { imageId } = await pull('os:2')
    const copy = await value('create-snapshot', imageId)
    await promisify(execFile)('btrfs', ['subvolume', 'create', `${await value('get-root', copy)}nested`])
    const nested = await snap('delete', '--id', copy)
    expect(nested).toMatchObject({ status: 1, stdout: '' })
    expect(nested.stderr).toMatch(/Directory not empty[^\n]*\n$/)
    const unknown = await snap('get-root', '')
    expect(unknown).toMatchObject({ status: 3, stdout: '' })
    expect(unknown.stderr).toContain("no image with id ''")
  })

  test('10: pull says what it got, --quiet by id, --json with digests and size', async () => {
    const pulled = await pull('os:1')
    expect(pulled.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(pulled.manifestDigest).toBe(pulled.digest)
    expect(pulled.sizeBytes).toBeGreaterThan(0)
    expect((await snap('pull', '--quiet', `${registry.address}/os:1`)).stdout).toBe(`${pulled.imageId}\n`)
  })

  test('10: a wrong name fails delete --url, unless --if-exists says that is fine', async () => {
    const name = `${registry.address}/typo:1`
    expect(await snap('delete', '--url', name)).toMatchObject({ status: 3, stdout: '' })
    expect(await snap('delete', '--url', name, '--if-exists')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await snap('delete', '--id', '0'.repeat(64), '--if-exists')).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })

  test('11: working in a copy and switching to it leaves the image as it was pulled', async () => {
    const { imageId } = await pull('os:2')
    const copy = await value('create-snapshot', imageId)
    await writeFile(`${await value('get-root', copy)}etc/fstab`, 'changed')
    await value('switch', copy)
    expect(await readdir(`${await value('get-root', imageId)}etc`)).toEqual(['os-release'])
  })
})
