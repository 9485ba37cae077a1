import { createHash, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ReleasedImage } from '../../proto/release-policy.ts'
import { makeSimpleSigning } from '../../proto/simple-signing.ts'
import { CliError } from '../errors.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const requestTimeoutMs = 30_000

type Blob = {
  readonly bytes: Buffer
  readonly descriptor: { readonly digest: string; readonly size: number }
}

/** Signs an image in the registry on this machine, and puts the signature where cosign puts its own. */
export async function signImage(image: ReleasedImage, keyFile: string, signal: AbortSignal): Promise<void> {
  const { payload, signature } = makeSimpleSigning(image, createPrivateKey(await readFile(keyFile, 'utf8')))
  const signed = blobOf(Buffer.from(payload))
  const rootfs = { type: 'layers', diff_ids: [signed.descriptor.digest] }
  const config = blobOf(Buffer.from(JSON.stringify({ architecture: '', os: '', config: {}, rootfs })))
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config.descriptor },
    layers: [
      {
        mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
        ...signed.descriptor,
        annotations: { 'dev.cosignproject.cosign/signature': signature },
      },
    ],
  }
  const base = baseOf(image)
  for (const blob of [signed, config]) await pushBlob(base, blob, signal)
  const url = `${base}/manifests/${image.digest.replace(':', '-')}.sig`
  await send(url, { method: 'PUT', type: MANIFEST, body: Buffer.from(JSON.stringify(manifest)) }, signal)
}

function baseOf({ repository }: ReleasedImage): string {
  const [registry = '', ...path] = repository.split('/')
  return `http://${registry}/v2/${path.join('/')}`
}

function blobOf(bytes: Buffer): Blob {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  return { bytes, descriptor: { digest, size: bytes.length } }
}

async function pushBlob(base: string, { bytes, descriptor }: Blob, signal: AbortSignal): Promise<void> {
  const begun = await send(`${base}/blobs/uploads/`, { method: 'POST', type: '', body: null }, signal)
  const url = new URL(begun.headers.get('location') ?? '', base)
  url.searchParams.set('digest', descriptor.digest)
  await send(url.href, { method: 'PUT', type: 'application/octet-stream', body: bytes }, signal)
}

async function send(
  url: string,
  { method, type, body }: { readonly method: string; readonly type: string; readonly body: Buffer | null },
  signal: AbortSignal,
): Promise<Response> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), requestTimeoutMs)
  try {
    const response = await fetch(url, {
      method,
      headers: type === '' ? {} : { 'content-type': type },
      body: body === null ? null : new Uint8Array(body),
      signal: AbortSignal.any([signal, limit.signal]),
    })
    if (response.ok) return response
    const said = (await response.text()).slice(0, 300)
    throw new CliError(
      'ToolFailed',
      `signing the image: ${method} ${url} answered ${response.status}: ${said}`,
    )
  } finally {
    clearTimeout(timer)
  }
}
