import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './nats-server.ts'

export type Registry = {
  /** host:port */
  readonly address: string
  /** Push an image without content, for hosts that only simulate; resolves with its manifest digest. `base`: built on. */
  pushEmptyImage(repository: string, version: string, base?: string): Promise<string>
  /** Let `tag` name what `version` names. */
  moveTag(repository: string, version: string, tag: string): Promise<void>
  stop(): Promise<void>
}

/** Debian's docker-registry on a free port of the loopback. */
export async function startRegistry(
  dir: string,
  notify: { readonly url: string; readonly authorization: string } | null = null,
): Promise<Registry> {
  const address = `127.0.0.1:${await freePort()}`
  const config = join(dir, 'registry.yml')
  const storage = `storage: { filesystem: { rootdirectory: ${JSON.stringify(join(dir, 'registry'))} } }`
  const endpoint = { name: 'bootfleet', timeout: '1s', threshold: 3, backoff: '1s' }
  const notifications =
    notify === null
      ? ''
      : `notifications: ${JSON.stringify({
          endpoints: [{ ...endpoint, url: notify.url, headers: { Authorization: [notify.authorization] } }],
        })}\n`
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\n${storage}\nhttp: { addr: ${address} }\n${notifications}`,
  )
  const server = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  await untilAnswering(`http://${address}/v2/`)
  return {
    address,
    pushEmptyImage: (repository, version, base) =>
      pushEmptyImage(`http://${address}/v2/${repository}`, version, base),
    moveTag: (repository, version, tag) => moveTag(`http://${address}/v2/${repository}`, version, tag),
    async stop() {
      if (server.exitCode !== null || server.signalCode !== null) return
      const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
      server.kill('SIGTERM')
      await ended
    },
  }
}

async function untilAnswering(url: string): Promise<void> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const answers = await fetch(url).then(
      (response) => response.ok,
      () => false,
    )
    if (answers) return
    await sleep(50)
  }
  throw new Error(`docker-registry does not answer at ${url}`)
}

async function pushEmptyImage(base: string, version: string, builtOn?: string): Promise<string> {
  const labels = { 'org.opencontainers.image.version': version }
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const rootfs = { type: 'layers', diff_ids: [] }
  const config = await pushBlob(
    base,
    JSON.stringify({ architecture, os: 'linux', config: { Labels: labels }, rootfs }),
  )
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [],
    ...(builtOn !== undefined && { annotations: { 'org.opencontainers.image.base.digest': builtOn } }),
  })
  const response = await fetch(`${base}/manifests/${version}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: manifest,
  })
  if (!response.ok)
    throw new Error(`pushing the manifest of ${version}: ${response.status} ${await response.text()}`)
  return digestOf(manifest)
}

async function moveTag(base: string, version: string, tag: string): Promise<void> {
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = await fetch(`${base}/manifests/${version}`, { headers: { accept: type } })
  const body = await manifest.text()
  const response = await fetch(`${base}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body,
  })
  if (!response.ok) throw new Error(`tagging ${version} as ${tag}: ${response.status}`)
}

async function pushBlob(base: string, text: string): Promise<{ digest: string; size: number }> {
  const digest = digestOf(text)
  const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(begun.headers.get('location') ?? '', base)
  location.searchParams.set('digest', digest)
  const ended = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: text,
  })
  if (!ended.ok) throw new Error(`pushing a blob: ${ended.status} ${await ended.text()}`)
  return { digest, size: Buffer.byteLength(text) }
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
