import { createHash } from 'node:crypto'
import { arch } from 'node:process'

export type Blob = { digest: string; sizeBytes: number }

export type Manifest =
  | { kind: 'manifest'; digest: string; configDigest: string; blobs: readonly Blob[] }
  | {
      kind: 'index'
      digest: string
      manifests: readonly { digest: string; architecture: string; os: string }[]
    }

type Json = { readonly [key: string]: unknown }

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }

export function machineArchitecture(): string {
  return architectures[arch] ?? arch
}

/** Null when the bytes are no manifest that this program knows. The digest is our own, over the raw bytes. */
export function parseManifest(raw: Buffer): Manifest | null {
  const digest = `sha256:${createHash('sha256').update(raw).digest('hex')}`
  const value = object(parsed(raw))
  if (Array.isArray(value['manifests'])) {
    const manifests = value['manifests'].map((entry) => {
      const platform = object(object(entry)['platform'])
      return {
        digest: String(object(entry)['digest']),
        architecture: String(platform['architecture']),
        os: String(platform['os']),
      }
    })
    return { kind: 'index', digest, manifests }
  }
  const config = object(value['config'])
  if (typeof config['digest'] !== 'string' || !Array.isArray(value['layers'])) return null
  const blobs = [config, ...value['layers'].map(object)].map((entry) => ({
    digest: String(entry['digest']),
    sizeBytes: typeof entry['size'] === 'number' ? entry['size'] : 0,
  }))
  return { kind: 'manifest', digest, configDigest: config['digest'], blobs }
}

function parsed(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'))
  } catch {
    return null
  }
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

/** What a store with this digest in it may call its manifest. */
export function acceptedDigests(manifest: Manifest): string[] {
  return manifest.kind === 'index' ? manifest.manifests.map((entry) => entry.digest) : [manifest.digest]
}
