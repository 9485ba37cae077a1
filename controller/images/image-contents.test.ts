import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createRegistryClient } from './registry-client.ts'
import type { ImagePlatform } from './image-contents.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
const baseDigest = digestOf('base')

/** A registry that has these texts, under their digests. */
async function serve(texts: readonly string[]): Promise<string> {
  const contents = new Map(texts.map((text) => [digestOf(text), text]))
  const server = createServer((request, response) => {
    const found = contents.get(request.url?.split('/').at(-1) ?? '')
    response.writeHead(found === undefined ? 404 : 200).end(found)
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function contentsOf(texts: readonly string[], digest: string): Promise<readonly ImagePlatform[]> {
  const host = await serve(texts)
  const client = createRegistryClient({ plainHttpHosts: [host] })
  try {
    return await client.contents(`${host}/os/edge`, digest, new AbortController().signal)
  } finally {
    await client.close()
  }
}

function imageFor(
  architecture: string,
  more: { labels?: object; annotations?: object; layers?: number } = {},
) {
  const names = Array.from({ length: more.layers ?? 2 }, (_, index) => `${architecture}-${index}`)
  const layers = names.map(digestOf)
  const diffIds = names.map((name) => digestOf(`unpacked ${name}`))
  const config = JSON.stringify({
    architecture,
    os: 'linux',
    config: { Labels: more.labels ?? null },
    rootfs: { type: 'layers', diff_ids: diffIds },
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { digest: digestOf(config) },
    layers: layers.map((digest) => ({ digest, size: 1 })),
    annotations: more.annotations,
  })
  return { config, manifest, layers, diffIds }
}

test('an index tells the layers and the base of every architecture', async () => {
  const amd = imageFor('amd64', {
    annotations: { 'org.opencontainers.image.base.digest': baseDigest },
  })
  const arm = imageFor('arm64', { labels: { 'org.opencontainers.image.base.name': 'quay.example/os:41\n' } })
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { digest: digestOf(amd.manifest), platform: { architecture: 'amd64', os: 'linux' } },
      { digest: digestOf(arm.manifest), platform: { architecture: 'arm64', os: 'linux' } },
    ],
  })
  const texts = [index, amd.manifest, amd.config, arm.manifest, arm.config]
  expect(await contentsOf(texts, digestOf(index))).toEqual([
    {
      architecture: 'amd64',
      manifest: digestOf(amd.manifest),
      layers: amd.layers,
      diffIds: amd.diffIds,
      base: baseDigest,
      baseName: '',
    },
    {
      architecture: 'arm64',
      manifest: digestOf(arm.manifest),
      layers: arm.layers,
      diffIds: arm.diffIds,
      base: '',
      baseName: 'quay.example/os:41 ',
    },
  ])
})

test('a manifest is one architecture, and a base that is no digest is none', async () => {
  const annotations = { 'org.opencontainers.image.base.digest': '../../etc' }
  const { config, manifest, layers } = imageFor('amd64', { annotations })
  expect(await contentsOf([config, manifest], digestOf(manifest))).toMatchObject([{ layers, base: '' }])
})

test('an image with more layers than any has, and one that is not there, are refused with their name', async () => {
  const { config, manifest } = imageFor('amd64', { layers: 257 })
  await expect(contentsOf([config, manifest], digestOf(manifest))).rejects.toThrow(
    `resolving the contents of 127.0.0.1`,
  )
  await expect(contentsOf([], baseDigest)).rejects.toThrow('there is no such image')
})
