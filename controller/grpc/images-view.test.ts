import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { FindHostsRequestSchema, ListImagesRequestSchema } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import type { FindHostsResponse, ListImagesResponse } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import type { CatalogEntry } from '../image-catalog.ts'

let world: GrpcWorld
let catalog: ReadonlyMap<string, CatalogEntry>

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.reset()
  catalog = new Map()
  const imageEntryOf = (digest: string): CatalogEntry | null => catalog.get(digest) ?? null
  world.snapshot = { ...snapshotOfFleets(['edge', 'shop']), imageEntryOf }
  world.bindings = [{ who: ['kim'], role: 'view', fleets: ['*'] }]
})

const [zero, one] = ['0.0.0', '1.0.0'].map((version) => imageOf(version).digest) as [string, string]
const layer = (digit: string): string => `sha256:${digit.repeat(64)}`

function known(changes: Partial<CatalogEntry>, diffIds: readonly string[] = []): CatalogEntry {
  const platform = {
    architecture: 'amd64',
    manifest: layer('f'),
    layers: [layer('a')],
    base: '',
    baseName: '',
  }
  return {
    repository: 'os',
    firstSeenMs: 1,
    tags: [],
    platforms: [{ ...platform, diffIds }],
    message: '',
    ...changes,
  }
}

type Term = { readonly key: string; readonly operator: string; readonly values?: string[] }

function find(request: {
  running?: string
  containing?: string
  fleet?: string
  labels?: Term[]
}): Promise<FindHostsResponse> {
  const client = world.operatorClient(world.operator)
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 60_000
    client.findHosts(create(FindHostsRequestSchema, request), { deadline }, (error, response) =>
      error === null ? resolve(response as FindHostsResponse) : reject(error),
    )
  })
}

function list(fleet = '', labels: Term[] = []): Promise<ListImagesResponse> {
  const client = world.operatorClient(world.operator)
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 60_000
    client.listImages(create(ListImagesRequestSchema, { fleet, labels }), { deadline }, (error, response) =>
      error === null ? resolve(response as ListImagesResponse) : reject(error),
    )
  })
}

const held = ({ hosts }: FindHostsResponse): readonly string[] =>
  hosts.map(({ hold, name }) => `${name} ${hold}`)

it.each([
  ['a digest', one],
  ['its beginning', one.slice(0, 18)],
  ['its beginning without the algorithm', one.slice(7, 14)],
  ['the digest of its manifest', imageOf('1.0.0').manifests['amd64'] as string],
  ['a repository and a digest', `os@${one}`],
  ['a version', '1.0.0'],
  ['a tag', 'stable'],
  ['a repository and a tag', 'os:stable'],
])('an image is found by %s, with the hosts that run it and since when', async (_, running) => {
  catalog = new Map([[one, known({ tags: ['stable'] })]])
  const found = await find({ running })
  expect(held(found)).toEqual(['edge-1 Booted', 'shop-1 Booted'])
  expect(found.hosts[0]).toMatchObject({ fleet: 'edge', digest: one, version: '1.0.0', phase: 'Succeeded' })
  expect(Number(found.hosts[0]?.sinceMs)).toBeGreaterThan(0)
  expect(found.images).toMatchObject([{ digest: one, tags: ['stable'], hostsRunning: 2 }])
})

it('hosts that only hold it come after those that run it, and are told apart', async () => {
  expect(held(await find({ running: zero }))).toEqual(['stray Booted', 'edge-1 Previous', 'shop-1 Previous'])
})

it('a whole digest that nobody has is an answer, and what names nothing is an error that says where to look', async () => {
  expect(await find({ running: layer('e') })).toMatchObject({ hosts: [], images: [] })
  for (const running of ['9.9.9', 'stable', 'os:9', 'elsewhere:1.0.0', 'eeee']) {
    const error = await find({ running }).catch((each: ServiceError) => each)
    expect(error).toMatchObject({
      code: status.NOT_FOUND,
      details: expect.stringContaining('bootfleet images'),
    })
  }
  await expect(find({ running: `other/os@${one}` })).rejects.toThrow('leave the repository out')
  expect(await find({ running: `other/os@${layer('e')}` })).toMatchObject({ hosts: [] })
})

it('exactly one question is asked at once', async () => {
  for (const request of [{}, { running: one, containing: one }]) {
    await expect(find(request)).rejects.toThrow('name either what runs or what is contained')
  }
  await expect(find({ containing: '1.0.0' })).rejects.toThrow('write the whole digest')
})

it.each([
  ['a packed layer', layer('a')],
  ['an unpacked layer', layer('b')],
  ['the base that its builder noted', layer('c')],
])('hosts are found by %s of their image', async (_, containing) => {
  const entry = known({}, [layer('b')])
  const platforms = entry.platforms?.map((each) => ({
    ...each,
    base: layer('c'),
    baseName: 'quay.example/os:41',
  }))
  catalog = new Map([
    [one, { ...entry, platforms: platforms ?? null }],
    [zero, known({ platforms: [] })],
  ])
  const found = await find({ containing })
  expect(held(found)).toEqual(['edge-1 Booted', 'shop-1 Booted'])
  expect(found).toMatchObject({ unknownImages: [], unknownHosts: [] })
  expect(found.images).toMatchObject([{ baseDigests: [layer('c')], baseNames: ['quay.example/os:41'] }])
})

it('an image is contained in every one that begins with all of its layers', async () => {
  catalog = new Map([
    [zero, known({ platforms: known({}, [layer('1'), layer('2')]).platforms ?? null })],
    [one, known({}, [layer('1'), layer('2'), layer('3')])],
  ])
  expect((await find({ containing: zero })).images.map(({ version }) => version)).toEqual(['1.0.0', ''])
  expect((await find({ containing: `os@${one}` })).images.map(({ digest }) => digest)).toEqual([one])
})

it('what nobody knows the layers of is told as unknown with its hosts, and why', async () => {
  catalog = new Map([[one, known({ platforms: null, message: 'the registry answers 401' })]])
  const found = await find({ containing: layer('a') })
  expect(found.hosts).toEqual([])
  expect(found.unknownImages.map(({ contentsMessage, digest }) => [digest, contentsMessage])).toEqual([
    [one, 'the registry answers 401'],
    [zero, 'no fleet names it, so nobody knows where to ask'],
  ])
  expect(found.unknownHosts.map(({ name }) => name)).toEqual(['edge-1', 'shop-1', 'stray'])
})

it('every image is listed with counts by fleet, what it is to each, and since when it is known', async () => {
  catalog = new Map([[one, known({ firstSeenMs: 7 })]])
  const { images, hostsUnheard } = await list()
  expect(hostsUnheard).toBe(0)
  expect(images).toMatchObject([
    {
      digest: one,
      repository: 'os',
      version: '1.0.0',
      hostsRunning: 2,
      hostsHolding: 0,
      firstSeenMs: 7n,
      deniedIn: [],
      contentsKnown: true,
      fleets: [
        { fleet: 'edge', hostsRunning: 1, wanted: true, stable: true },
        { fleet: 'shop', hostsRunning: 1, wanted: true, stable: true },
      ],
    },
    { digest: zero, repository: '', hostsRunning: 1, hostsHolding: 2, contentsKnown: false },
  ])
})

it('nothing of a fleet that one may not see is found, counted or named', async () => {
  world.bindings = [{ who: ['kim'], role: 'view', fleets: ['edge'] }]
  expect(held(await find({ running: one }))).toEqual(['edge-1 Booted'])
  expect((await list()).images).toMatchObject([
    { hostsRunning: 1, fleets: [{ fleet: 'edge' }] },
    { digest: zero },
  ])
  expect((await list('shop')).images).toEqual([])
  await expect(find({ running: '1.0.0', fleet: 'shop' })).rejects.toThrow('no image that hosts have')
  expect(held(await find({ running: one, fleet: 'edge' }))).toEqual(['edge-1 Booted'])
})

it('labels choose the hosts that are found and counted, and of images only what these have', async () => {
  const labels = [{ key: 'fleet', operator: 'In', values: ['edge', 'none'] }]
  expect(held(await find({ running: one, labels }))).toEqual(['edge-1 Booted'])
  expect(held(await find({ running: zero, labels }))).toEqual(['stray Booted', 'edge-1 Previous'])
  expect((await list('', labels)).images).toMatchObject([
    { digest: zero, hostsRunning: 1, hostsHolding: 1 },
    { digest: one, hostsRunning: 1, fleets: [{ fleet: 'edge' }, { fleet: 'shop', hostsRunning: 0 }] },
  ])
  const stray = [{ key: 'fleet', operator: 'NotIn', values: ['edge', 'shop'] }]
  expect((await list('', stray)).images.map(({ digest }) => digest)).toEqual([zero])
  expect((await list('', [{ key: 'nothing', operator: 'Exists' }])).images).toEqual([])
})

it('a condition that is none is refused, and not taken for one that all hosts meet', async () => {
  for (const term of [
    { key: 'fleet', operator: 'Like' },
    { key: 'no key', operator: 'Exists' },
    { key: 'fleet', operator: 'In', values: ['no value!'] },
  ]) {
    await expect(find({ running: one, labels: [term] })).rejects.toThrow('choosing hosts by labels')
    await expect(list('', [term])).rejects.toThrow('choosing hosts by labels')
  }
})
