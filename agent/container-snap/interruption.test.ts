import { randomBytes } from 'node:crypto'
import { readFile, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFront } from './testing/front.ts'
import type { Outcome, Running } from './testing/program.ts'
import { openProgram } from './testing/program.ts'
import { systemTree } from './testing/registry.ts'
import type { Pulled, Stage } from './testing/stage.ts'
import { eventually, layerIds, openStage, readLedger, writersGone } from './testing/stage.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

const bigBytes = 3 * 1024 * 1024

describe('a pull that does not end', () => {
  let stage: Stage
  let sysroot: Sysroot
  let digest = ''
  const snap = (...args: string[]): Promise<Outcome> =>
    stage.program.run('--sysroot', sysroot.directory, ...args)
  const start = (...args: string[]): Running => stage.program.start('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> =>
    stage.program.value('--sysroot', sysroot.directory, ...args)
  const reference = (): string => `${stage.front.address}/os@${digest}`
  const pulled = async (...args: string[]): Promise<Pulled> =>
    JSON.parse(await value('pull', '--json', ...args)) as Pulled

  /** The first layer is stored and the second one hangs. */
  const startHalfway = async (...args: string[]): Promise<Running> => {
    stage.front.stall()
    const running = start('pull', ...args, reference())
    await eventually('one layer is stored', async () => (await layerIds(sysroot.store)).length === 1)
    return running
  }

  beforeAll(async () => {
    stage = await openStage()
    digest = await stage.registry.push('os:1', [systemTree('1'), { 'usr/lib/big': randomBytes(bigBytes) }])
  })
  afterAll(async () => {
    await stage.close()
  })
  beforeEach(async () => {
    sysroot = await openSysroot()
  })
  afterEach(async () => {
    stage.front.flow()
    await sysroot.close()
  })

  test('kill -9 half-way leaves no ready mark, no writer and no mount, and the next pull is whole', async () => {
    const running = await startHalfway()
    running.kill('SIGKILL')
    await running.outcome
    expect((await readLedger(sysroot.store)).images).toEqual([])
    expect(await value('list-images')).toBe('')
    await writersGone(sysroot)
    stage.front.flow()
    const { imageId } = await pulled(reference())
    expect((await readFile(`${await value('get-root', imageId)}usr/lib/big`)).length).toBe(bigBytes)
    expect(await readdir(join(sysroot.store, 'tmp'))).toEqual([])
    expect((await readLedger(sysroot.store)).pulls).toEqual([])
  })

  test('a layer that lost its data in a power cut half-way through a pull is fetched anew', async () => {
    const running = await startHalfway()
    running.kill('SIGKILL')
    await running.outcome
    await writersGone(sysroot)
    const subvolumes = join(sysroot.store, 'snapshots/btrfs/subvolumes')
    const [layer = ''] = await layerIds(sysroot.store)
    await writeFile(join(subvolumes, layer, 'usr/bin/tool'), '')
    const before = await readLedger(sysroot.store)
    const pulls = before.pulls.map((intent) => ({ ...intent, bootId: 'another boot' }))
    await writeFile(join(sysroot.store, 'ledger.json'), JSON.stringify({ ...before, pulls }))
    stage.front.flow()
    const { imageId } = await pulled(reference())
    expect(await readFile(`${await value('get-root', imageId)}usr/bin/tool`, 'utf8')).toBe('tool 1')
  })

  test.each([
    ['its manifest', ['big-data-names', 'big-data-sizes', 'big-data-digests', 'names']],
    ['its manifest and digest', ['big-data-names', 'big-data-sizes', 'big-data-digests', 'names', 'digest']],
  ])('an image that a power cut left without %s is fetched anew, layers and all', async (_, lost) => {
    const { imageId } = await pulled(reference())
    const imagesFile = join(sysroot.store, 'snapshots/btrfs-images/images.json')
    const records = JSON.parse(await readFile(imagesFile, 'utf8')) as Record<string, unknown>[]
    for (const record of records) for (const field of lost) delete record[field]
    await writeFile(imagesFile, JSON.stringify(records))
    await rm(join(sysroot.store, 'snapshots/btrfs-images', imageId), { recursive: true })
    await writeFile(join(await value('get-root', imageId), 'usr/bin/tool'), '')
    const before = await readLedger(sysroot.store)
    const images = before.images.map((record) => ({ ...record, readyAt: null }))
    const pulls = [
      { digest, manifestDigests: [digest], bootId: 'another boot', startedAt: '2026-01-01T00:00:00.000Z' },
    ]
    await writeFile(join(sysroot.store, 'ledger.json'), JSON.stringify({ ...before, images, pulls }))
    expect((await pulled(reference())).imageId).toBe(imageId)
    expect(await readFile(`${await value('get-root', imageId)}usr/bin/tool`, 'utf8')).toBe('tool 1')
  })

  test('an image whose pull did not end is not snapshotted and not switched to', async () => {
    const { imageId } = await pulled(reference())
    const before = await readLedger(sysroot.store)
    const images = before.images.map((record) => ({ ...record, readyAt: null }))
    const pulls = [
      { digest, manifestDigests: [digest], bootId: 'another boot', startedAt: '2026-01-01T00:00:00.000Z' },
    ]
    await writeFile(join(sysroot.store, 'ledger.json'), JSON.stringify({ ...before, images, pulls }))
    for (const command of ['create-snapshot', 'switch']) {
      const outcome = await snap(command, imageId)
      expect(outcome).toMatchObject({ status: 4, stdout: '' })
      expect(outcome.stderr).toContain(`pull ${digest} again first`)
    }
    await pulled(reference())
    expect(await value('create-snapshot', imageId)).toBe(`${imageId}-work1`)
  })

  test('SIGTERM half-way ends with one line, status 143 and nothing left to write to', async () => {
    const running = await startHalfway()
    running.kill('SIGTERM')
    const outcome = await running.outcome
    expect(outcome).toMatchObject({ status: 143, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: pull [^\n]*interrupted[^\n]*\n$/)
    expect(await readdir(join(sysroot.store, 'tmp'))).toEqual([])
    await sysroot.reboot()
  })

  test('a registry that goes away half-way fails the pull, and a later one works', async () => {
    const dying = await openFront()
    const conf = join(sysroot.directory, 'var/registries.conf')
    await writeFile(conf, `[[registry]]\nlocation = "${dying.address}"\ninsecure = true\n`)
    dying.forwardTo(stage.registry.address)
    const other = await openProgram({ CONTAINERS_REGISTRIES_CONF: conf })
    dying.stall()
    const running = other.start('--sysroot', sysroot.directory, 'pull', `${dying.address}/os@${digest}`)
    await eventually('one layer is stored', async () => (await layerIds(sysroot.store)).length === 1)
    await dying.close()
    const outcome = await running.outcome
    await other.close()
    expect(outcome).toMatchObject({ status: 6, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: pull [^\n]+\n$/)
    expect((await pulled(reference())).digest).toBe(digest)
  })

  test('a registry that falls silent half-way fails the pull, and a later one works', async () => {
    const running = await startHalfway('--stall-timeout', '1')
    const outcome = await running.outcome
    expect(outcome).toMatchObject({ status: 6, stdout: '' })
    expect(outcome.stderr).toContain('no data moved for 1 s; check the registry and the network')
    stage.front.flow()
    expect((await pulled(reference())).digest).toBe(digest)
  })

  test('a full disk fails the pull with the reason, and with room again it works', async () => {
    await value('init')
    const filler = join(sysroot.directory, 'var/filler')
    const { bavail, bsize } = await statfs(sysroot.directory)
    await writeFile(filler, Buffer.alloc(bavail * bsize - bigBytes, 1))
    const outcome = await snap('pull', reference())
    expect(outcome).toMatchObject({ status: 8, stdout: '' })
    // An agent keeps the first 256 characters only.
    expect(outcome.stderr.slice(0, 256)).toContain('no space left on device; delete copies and images')
    await rm(filler)
    expect((await pulled(reference())).digest).toBe(digest)
  })
})
