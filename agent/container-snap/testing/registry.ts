import { createHash, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'

export type Files = Readonly<Record<string, string | Buffer>>

export type Registry = {
  /** HOST:PORT */
  address: string
  registriesConf: string
  /**
   * Pushes an image with one layer per entry, and returns the digest of its manifest. Images that begin with the same
   * objects share those layers. `version`: its label.
   */
  push: (name: string, layers: readonly Files[], version?: string) => Promise<string>
  /** Pushes images that share their only layer and differ in their configuration alone; tags are the labels. */
  pushTwins: (repository: string, files: Files, labels: readonly string[]) => Promise<void>
  /** Pushes an index over what is there: platform to digest. Returns the index's digest. */
  pushIndex: (name: string, manifests: Readonly<Record<string, string>>) => Promise<string>
  archive: (name: string, layers: readonly Files[], file: string) => Promise<void>
  close: () => Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** The smallest tree that `switch` takes for a system. */
export function systemTree(version: string): Files {
  return {
    'etc/os-release': `ID=tiny\nVERSION_ID=${version}\n`,
    'usr/bin/tool': `tool ${version}`,
    'var/': '',
  }
}

async function writeTree(directory: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(directory, path)
    await mkdir(path.endsWith('/') ? target : dirname(target), { recursive: true })
    if (!path.endsWith('/')) await writeFile(target, content)
  }
}

type Buildah = (...args: string[]) => Promise<string>

/** Layers that are the same objects, from the first on, are built once. */
function imageBuilder(buildah: Buildah, base: string): (layers: readonly Files[]) => Promise<string> {
  const built: { parent: string; files: Files; image: string }[] = []
  const addLayer = async (parent: string, files: Files): Promise<string> => {
    const known = built.find((one) => one.parent === parent && one.files === files)
    if (known !== undefined) return known.image
    const name = `image-${randomUUID()}`
    await writeTree(join(base, name), files)
    const container = await buildah('from', '--pull-never', parent)
    await buildah('add', '--quiet', container, join(base, name), '/')
    const image = await buildah('commit', '--quiet', '--rm', container, `localhost/${name}`)
    built.push({ parent, files, image })
    return image
  }
  return async (layers) => {
    let image = 'scratch'
    for (const files of layers) image = await addLayer(image, files)
    return image
  }
}

/** docker-registry on loopback, plain http; buildah works in a folder of its own, with no btrfs needed. */
export async function openRegistry(fronts: readonly string[] = []): Promise<Registry> {
  const base = await mkdtemp(join(tmpdir(), 'container-snap-registry-'))
  const address = `127.0.0.1:${await freePort()}`
  const config = join(base, 'registry.yml')
  const storage = `storage: {filesystem: {rootdirectory: ${join(base, 'blobs')}}}`
  await writeFile(config, `version: 0.1\nlog: {level: error}\n${storage}\nhttp: {addr: "${address}"}\n`)
  const registriesConf = join(base, 'registries.conf')
  const tables = [address, ...fronts].map(
    (location) => `[[registry]]\nlocation = "${location}"\ninsecure = true\n`,
  )
  await writeFile(registriesConf, tables.join('\n'))
  const server = execa('docker-registry', ['serve', config], { reject: false })
  await reachable(`http://${address}/v2/`)
  const buildah = async (...args: string[]): Promise<string> => {
    const storageArgs = ['--root', join(base, 'b'), '--runroot', join(base, 'r'), '--storage-driver', 'vfs']
    return (await execa('buildah', [...storageArgs, '--registries-conf', registriesConf, ...args])).stdout
  }
  const buildImage = imageBuilder(buildah, base)
  const labelled = async (image: string, version: string | undefined): Promise<string> => {
    if (version === undefined) return image
    const container = await buildah('from', '--pull-never', image)
    await buildah('config', '--label', `org.opencontainers.image.version=${version}`, container)
    return buildah('commit', '--quiet', '--rm', container)
  }
  return {
    address,
    registriesConf,
    push: async (name, layers, version) => {
      const digestFile = join(base, 'digest')
      const image = await labelled(await buildImage(layers), version)
      await buildah('push', '--quiet', '--digestfile', digestFile, image, `docker://${address}/${name}`)
      return (await execa('cat', [digestFile])).stdout.trim()
    },
    pushTwins: async (repository, files, labels) => {
      const base = await buildImage([files])
      for (const label of labels) {
        const container = await buildah('from', '--pull-never', base)
        await buildah('config', '--label', `build=${label}`, container)
        const image = await buildah('commit', '--quiet', '--rm', container)
        await buildah('push', '--quiet', image, `docker://${address}/${repository}:${label}`)
      }
    },
    pushIndex: async (name, manifests) => pushIndex(address, name, manifests),
    archive: async (name, layers, file) => {
      await buildah('push', '--quiet', await buildImage(layers), `oci-archive:${file}:${name}`)
    },
    close: async () => {
      server.kill()
      await server
      await rm(base, { recursive: true, force: true })
    },
  }
}

async function pushIndex(
  address: string,
  name: string,
  manifests: Readonly<Record<string, string>>,
): Promise<string> {
  const [repository = '', tag = 'latest'] = name.split(':')
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const entries = await Promise.all(
    Object.entries(manifests).map(async ([platform, digest]) => {
      const accept = 'application/vnd.oci.image.manifest.v1+json'
      const url = `http://${address}/v2/${repository}/manifests/${digest}`
      const size = (await (await fetch(url, { headers: { accept } })).arrayBuffer()).byteLength
      const [os, architecture] = platform.split('/')
      return { mediaType: accept, digest, size, platform: { os, architecture } }
    }),
  )
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: entries })
  const url = `http://${address}/v2/${repository}/manifests/${tag}`
  const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': mediaType } })
  if (!response.ok) throw new Error(`push the index ${name}: ${response.status} ${await response.text()}`)
  return `sha256:${createHash('sha256').update(body).digest('hex')}`
}

async function reachable(url: string): Promise<void> {
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    )
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} does not answer`)
}
