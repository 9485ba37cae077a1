import { randomBytes } from 'node:crypto'
import { readFile, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from './ledger.ts'
import type { Front } from './testing/front.ts'
import { openFront } from './testing/front.ts'
import type { Outcome, Program, Running } from './testing/program.ts'
import { openProgram } from './testing/program.ts'
import type { Registry } from './testing/registry.ts'
import { openRegistry, systemTree } from './testing/registry.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

type Pulled = { event: string; imageId: string; digest: string; manifestDigest: string; sizeBytes: number }

const bigBytes = 3 * 1024 * 1024

describe('pull', () => {
  let registry: Registry
  let front: Front
  let program: Program
  let sysroot: Sysroot
  let digest = ''
  let otherDigest = ''
  const snap = (...args: string[]): Promise<Outcome> => program.run('--sysroot', sysroot.directory, ...args)
  const start = (...args: string[]): Running => program.start('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> => program.value('--sysroot', sysroot.directory, ...args)
  const reference = (wanted = digest): string => `${front.address}/os@${wanted}`
  const pulled = async (...args: string[]): Promise<Pulled> =>
    JSON.parse(await value('pull', '--json', ...args)) as Pulled
  const ledger = async (): Promise<Ledger> =>
    JSON.parse(await readFile(join(sysroot.store, 'ledger.json'), 'utf8')) as Ledger

  /** Until the first layer is stored and the second one hangs half-way. */
  const halfway = async (): Promise<void> => {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const layers = await readFile(join(sysroot.store, 'snapshots/btrfs-layers/layers.json'), 'utf8').catch(
        () => '[]',
      )
      if ((JSON.parse(layers) as unknown[]).length === 1) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error('the pull never got half-way')
  }

  beforeAll(async () => {
    front = await openFront()
    registry = await openRegistry([front.address])
    front.forwardTo(registry.address)
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    digest = await registry.push('os:1', [systemTree('1'), { 'usr/lib/big': randomBytes(bigBytes) }])
    otherDigest = await registry.push('os:2', [systemTree('2')])
  })
  afterAll(async () => {
    await program.close()
    await registry.close()
    await front.close()
  })
  beforeEach(async () => {
    sysroot = await openSysroot()
  })
  afterEach(async () => {
    front.flow()
    await sysroot.close()
  })

  test('--progress=json ends with what was pulled, after progress that never runs backwards', async () => {
    const lines = (await value('pull', '--progress=json', reference()))
      .split('\n')
      .map((line) => JSON.parse(line) as never)
    const last = lines.pop() as Pulled | undefined
    expect(last).toMatchObject({ event: 'pulled', digest, manifestDigest: digest })
    expect(last?.sizeBytes).toBeGreaterThan(bigBytes)
    const progress = lines as { event: string; doneBytes: number; totalBytes: number }[]
    expect(progress.every((line) => line.event === 'progress' && line.totalBytes > bigBytes)).toBe(true)
    expect(progress.map((line) => line.doneBytes)).toEqual(
      progress.map((line) => line.doneBytes).toSorted((a, b) => a - b),
    )
    expect(progress.at(-1)?.doneBytes).toBe(progress[0]?.totalBytes)
  })

  test('progress counts the bytes of a layer that is still on its way', async () => {
    front.stall()
    const running = start('pull', '--progress=json', reference())
    await halfway()
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    running.kill('SIGTERM')
    const { stdout } = await running.outcome
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      doneBytes: number
      totalBytes: number
    }
    expect(last.doneBytes).toBeGreaterThan(200_000)
    expect(last.doneBytes).toBeLessThan(last.totalBytes)
  })

  test('what is ready is not fetched again: asked by digest, it needs no network', async () => {
    const first = await pulled(reference())
    const unreachable = `127.0.0.1:1/os@${digest}`
    expect(await pulled(unreachable)).toEqual(first)
    expect((await snap('pull', `127.0.0.1:1/os@${otherDigest}`)).status).toBe(6)
  })

  test('asked by an index, digest is the index and manifestDigest the one for this machine', async () => {
    const index = await registry.pushIndex('os:multi', { 'linux/amd64': digest, 'linux/arm64': otherDigest })
    const wanted = process.arch === 'arm64' ? otherDigest : digest
    const result = await pulled(reference(index))
    expect(result).toMatchObject({ digest: index, manifestDigest: wanted })
    expect(await pulled(reference(index))).toEqual(result)
    await value('create-snapshot', result.imageId)
    const status = JSON.parse(await value('status', '--json')) as { deployments: unknown[] }
    expect(status.deployments).toMatchObject([{ digest: index, manifestDigest: wanted }])
    const progress = (await value('pull', '--progress=json', `${front.address}/os:multi`)).split('\n')
    expect(JSON.parse(progress.at(-1) ?? '')).toMatchObject({
      event: 'pulled',
      digest: index,
      manifestDigest: wanted,
    })
  })

  test('a pull by tag follows the tag to another image', async () => {
    await registry.push('moving:1', [systemTree('a')])
    const first = await pulled(`${front.address}/moving:1`)
    await registry.push('moving:1', [systemTree('b')])
    const second = await pulled(`${front.address}/moving:1`)
    expect(second.imageId).not.toBe(first.imageId)
    expect(await value('delete', '--url', `${front.address}/moving:1`)).toBe('')
    expect(await value('list-images')).toBe(
      `${(await value('list-images')).split(',')[0]},${(await value('list-images')).split(',')[1]},unknown-name`,
    )
  })

  test('kill -9 half-way leaves no ready mark, no writer and no mount, and the next pull is whole', async () => {
    front.stall()
    const running = start('pull', reference())
    await halfway()
    running.kill('SIGKILL')
    await running.outcome
    expect((await ledger()).images).toEqual([])
    expect(await value('list-images')).toBe('')
    await writersGone(sysroot.store)
    await sysroot.reboot()
    front.flow()
    const { imageId } = await pulled(reference())
    expect((await readFile(`${await value('get-root', imageId)}usr/lib/big`)).length).toBe(bigBytes)
    expect(await readdir(join(sysroot.store, 'tmp'))).toEqual([])
    expect((await ledger()).pulls).toEqual([])
  })

  test('a layer that lost its data in a power cut half-way through a pull is fetched anew', async () => {
    front.stall()
    const running = start('pull', reference())
    await halfway()
    running.kill('SIGKILL')
    await running.outcome
    await writersGone(sysroot.store)
    const subvolumes = join(sysroot.store, 'snapshots/btrfs/subvolumes')
    const layers = JSON.parse(
      await readFile(join(sysroot.store, 'snapshots/btrfs-layers/layers.json'), 'utf8'),
    ) as { id: string }[]
    await writeFile(join(subvolumes, layers[0]?.id ?? '', 'usr/bin/tool'), '')
    const before = await ledger()
    const pulls = before.pulls.map((intent) => ({ ...intent, bootId: 'another boot' }))
    await writeFile(join(sysroot.store, 'ledger.json'), JSON.stringify({ ...before, pulls }))
    front.flow()
    const { imageId } = await pulled(reference())
    expect(await readFile(`${await value('get-root', imageId)}usr/bin/tool`, 'utf8')).toBe('tool 1')
  })

  test('an image whose pull did not end is not snapshotted and not switched to', async () => {
    const { imageId } = await pulled(reference())
    const before = await ledger()
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
    front.stall()
    const running = start('pull', reference())
    await halfway()
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
    dying.forwardTo(registry.address)
    const other = await openProgram({ CONTAINERS_REGISTRIES_CONF: conf })
    dying.stall()
    const running = other.start('--sysroot', sysroot.directory, 'pull', `${dying.address}/os@${digest}`)
    await halfway()
    await dying.close()
    const outcome = await running.outcome
    await other.close()
    expect(outcome).toMatchObject({ status: 6, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: pull [^\n]+\n$/)
    expect((await pulled(reference())).digest).toBe(digest)
  })

  test('a full disk fails the pull with the reason, and with room again it works', async () => {
    await value('init')
    const filler = join(sysroot.directory, 'var/filler')
    const { bavail, bsize } = await statfs(sysroot.directory)
    await writeFile(filler, Buffer.alloc(bavail * bsize - bigBytes, 1))
    const outcome = await snap('pull', reference())
    expect(outcome).toMatchObject({ status: 6, stdout: '' })
    expect(outcome.stderr).toContain('no space left on device')
    await rm(filler)
    expect((await pulled(reference())).digest).toBe(digest)
  })

  test('load takes an OCI archive by its name, and image and copy can be used', async () => {
    const file = join(sysroot.directory, 'var/os.tar')
    await registry.archive('localhost/os:7', [systemTree('7')], file)
    expect(await snap('load', '-i', file)).toEqual({ status: 0, stdout: '', stderr: '' })
    const [id = '', , name] = (await value('list-images')).split(',')
    expect(name).toBe('localhost/os:7')
    expect(await value('create-snapshot', id)).toBe(`${id}-work1`)
    await value('switch', `${id}-work1`)
    await value('load', `oci-archive://${file}`)
    expect((await snap('load', '--input', `${file}.missing`)).status).toBe(6)
  })
})

/** A killed pull's skopeo dies with it; the kernel needs a moment for that. */
async function writersGone(store: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if ((await processesNaming(store)).length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`still there: ${(await processesNaming(store)).join(', ')}`)
}

async function processesNaming(text: string): Promise<string[]> {
  const found: string[] = []
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    if (commandLine.includes(text)) found.push(commandLine.replaceAll('\0', ' '))
  }
  return found
}
