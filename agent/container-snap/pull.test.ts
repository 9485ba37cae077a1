import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Outcome, Running } from './testing/program.ts'
import { systemTree } from './testing/registry.ts'
import type { Pulled, Stage } from './testing/stage.ts'
import { eventually, layerIds, openStage } from './testing/stage.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

const bigBytes = 3 * 1024 * 1024

describe('pull', () => {
  let stage: Stage
  let sysroot: Sysroot
  let digest = ''
  let otherDigest = ''
  const snap = (...args: string[]): Promise<Outcome> =>
    stage.program.run('--sysroot', sysroot.directory, ...args)
  const start = (...args: string[]): Running => stage.program.start('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> =>
    stage.program.value('--sysroot', sysroot.directory, ...args)
  const reference = (wanted = digest): string => `${stage.front.address}/os@${wanted}`
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
    otherDigest = await stage.registry.push('os:2', [systemTree('2')])
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
    const running = await startHalfway('--progress=json')
    await eventually('half of the second layer is told', async () =>
      /"doneBytes":[2-9]\d{5}/.test(running.said()),
    )
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
    const index = await stage.registry.pushIndex('os:multi', {
      'linux/amd64': digest,
      'linux/arm64': otherDigest,
    })
    const wanted = process.arch === 'arm64' ? otherDigest : digest
    const result = await pulled(reference(index))
    expect(result).toMatchObject({ digest: index, manifestDigest: wanted })
    expect(await pulled(reference(index))).toEqual(result)
    await value('create-snapshot', result.imageId)
    const status = JSON.parse(await value('status', '--json')) as { deployments: unknown[] }
    expect(status.deployments).toMatchObject([{ digest: index, manifestDigest: wanted }])
    const progress = (await value('pull', '--progress=json', `${stage.front.address}/os:multi`)).split('\n')
    expect(JSON.parse(progress.at(-1) ?? '')).toMatchObject({
      event: 'pulled',
      digest: index,
      manifestDigest: wanted,
    })
  })

  test('the version is what the label of the image says, also while it is deployed, and else empty', async () => {
    const labelled = await stage.registry.push('os:9', [systemTree('9')], '9.1.0')
    const { imageId } = await pulled(reference(labelled))
    expect(await pulled(reference(labelled))).toMatchObject({ version: '9.1.0' })
    expect(await pulled(reference())).toMatchObject({ version: '' })
    await value('create-snapshot', imageId)
    const status = JSON.parse(await value('status', '--json')) as { deployments: unknown[] }
    expect(status.deployments).toMatchObject([{ version: '9.1.0' }])
    const config = `=${Buffer.from(`sha256:${imageId}`).toString('base64')}`
    const path = join(sysroot.store, 'snapshots/btrfs-images', imageId, config)
    await writeFile(path, (await readFile(path, 'utf8')).replace('9.1.0', '9.9.0'))
    expect(await pulled(reference(labelled))).toMatchObject({ version: '' })
  })

  test('a pull by tag follows the tag to another image', async () => {
    await stage.registry.push('moving:1', [systemTree('a')])
    const first = await pulled(`${stage.front.address}/moving:1`)
    await stage.registry.push('moving:1', [systemTree('b')])
    const second = await pulled(`${stage.front.address}/moving:1`)
    expect(second.imageId).not.toBe(first.imageId)
    expect(await value('delete', '--url', `${stage.front.address}/moving:1`)).toBe('')
    expect(await value('list-images')).toBe(
      `${(await value('list-images')).split(',')[0]},${(await value('list-images')).split(',')[1]},unknown-name`,
    )
  })

  test('load takes an OCI archive by its name, and image and copy can be used', async () => {
    const file = join(sysroot.directory, 'var/os.tar')
    await stage.registry.archive('localhost/os:7', [systemTree('7')], file)
    expect(await snap('load', '-i', file)).toEqual({ status: 0, stdout: '', stderr: '' })
    const [id = '', , name] = (await value('list-images')).split(',')
    expect(name).toBe('localhost/os:7')
    expect(await value('create-snapshot', id)).toBe(`${id}-work1`)
    await value('switch', `${id}-work1`)
    await value('load', `oci-archive://${file}`)
    expect((await snap('load', '--input', `${file}.missing`)).status).toBe(6)
  })
})
