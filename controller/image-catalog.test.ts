import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openImageCatalog } from './image-catalog.ts'
import type { ImagePlatform } from './images/image-contents.ts'

const platform = (layers: readonly string[]): ImagePlatform => ({
  architecture: 'amd64',
  manifest: 'm',
  layers,
  diffIds: layers,
  base: '',
  baseName: '',
})

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-catalog-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

const images = (...digests: readonly string[]) => new Map(digests.map((digest) => [digest, 'os/edge']))

it('remembers contents, tags and the first sight of an image across a restart, and asks no more for it', async () => {
  const dir = await directory()
  const catalog = await openImageCatalog(dir)
  catalog.see(images('a', 'b'), 100)
  expect(catalog.missing(100)).toEqual([
    { digest: 'a', repository: 'os/edge' },
    { digest: 'b', repository: 'os/edge' },
  ])
  catalog.know('a', [platform(['x'])])
  catalog.seeTags([
    { digest: 'a', tag: 'stable' },
    { digest: 'gone', tag: 'stable' },
  ])
  await catalog.keep()
  const again = await openImageCatalog(dir)
  again.see(images('a', 'b'), 900)
  expect(again.entryOf('a')).toMatchObject({
    firstSeenMs: 100,
    tags: ['stable'],
    platforms: [platform(['x'])],
    message: '',
  })
  expect(again.missing(900)).toEqual([{ digest: 'b', repository: 'os/edge' }])
  expect(again.entryOf('stranger')).toBeNull()
})

it('writes only what changed, and takes a file that cannot be read for none', async () => {
  const dir = await directory()
  await writeFile(join(dir, 'catalog.json'), '{"a": 1}')
  const catalog = await openImageCatalog(dir)
  await catalog.keep()
  expect(await readFile(join(dir, 'catalog.json'), 'utf8')).toBe('{"a": 1}')
  catalog.see(images('a'), 1)
  await catalog.keep()
  expect(JSON.parse(await readFile(join(dir, 'catalog.json'), 'utf8'))).toHaveProperty('a')
})

it('asks less and less often for what fails, and says why it is not known', async () => {
  const catalog = await openImageCatalog(await directory())
  catalog.see(images('a'), 0)
  catalog.fail('a', { message: 'there is no such image', nowMs: 0 })
  expect(catalog.missing(59_999)).toEqual([])
  expect(catalog.missing(60_000)).toHaveLength(1)
  catalog.fail('a', { message: 'there is no such image', nowMs: 60_000 })
  expect(catalog.missing(179_999)).toEqual([])
  expect(catalog.entryOf('a')).toMatchObject({ platforms: null, message: 'there is no such image' })
})

it('forgets what nobody runs or names any more, and only when there is no room', async () => {
  const catalog = await openImageCatalog(await directory(), { imagesMax: 2, digestsMax: 100 })
  catalog.see(images('a', 'b'), 1)
  catalog.see(images('b'), 2)
  expect(catalog.entryOf('a')).not.toBeNull()
  catalog.see(images('b', 'c'), 3)
  expect(catalog.entryOf('a')).toBeNull()
  expect(catalog.entryOf('c')).toMatchObject({ repository: 'os/edge' })
})

it('says of an image that there is no room for that it keeps no more, and never fills the disk', async () => {
  const catalog = await openImageCatalog(await directory(), { imagesMax: 2, digestsMax: 3 })
  catalog.see(images('a', 'b', 'c'), 1)
  expect(catalog.entryOf('c')).toMatchObject({
    platforms: null,
    message: expect.stringContaining('keeps no more'),
  })
  catalog.know('a', [platform(['x', 'y'])])
  expect(catalog.entryOf('a')).toMatchObject({
    platforms: null,
    message: expect.stringContaining('keeps no more'),
  })
  expect(catalog.missing(1).map(({ digest }) => digest)).toEqual(['b'])
  catalog.know('b', [platform(['x'])])
  expect(catalog.entryOf('b')?.platforms).not.toBeNull()
})
