import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readReleaseKey } from '../../proto/release-key.ts'
import { verifyRelease } from '../../proto/release-signature.ts'
import type { FoundSignature, ReleaseVerdict } from '../../proto/release-verdict.ts'
import { attestImage, importKey, signImage } from '../../test/support/cosign.ts'
import type { SigningKey } from '../../test/support/cosign.ts'
import { startRegistry } from '../../test/support/registry.ts'
import type { Registry } from '../../test/support/registry.ts'
import { createRegistryClient } from './registry-client.ts'

const never = new AbortController().signal
let dir: string
let registry: Registry
let release: SigningKey
let other: SigningKey
let versions = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-cosign-'))
  registry = await startRegistry(dir)
  release = await importKey(dir, 'release')
  other = await importKey(dir, 'other')
}, 60_000)

afterAll(async () => {
  await registry.stop()
  await rm(dir, { recursive: true, force: true })
})

type Image = { readonly repository: string; readonly digest: string }

async function push(): Promise<Image> {
  versions += 1
  const digest = await registry.pushEmptyImage('os/edge', `1.0.${versions}`)
  return { repository: `${registry.address}/os/edge`, digest }
}

const nameOf = ({ digest, repository }: Image) => `${repository}@${digest}`

async function find({ digest, repository }: Image): Promise<readonly FoundSignature[]> {
  const client = createRegistryClient({ plainHttpHosts: [registry.address] })
  try {
    return await client.signatures(repository, digest, never)
  } finally {
    await client.close()
  }
}

function judge(image: Image, found: readonly FoundSignature[], key = release): ReleaseVerdict {
  const read = readReleaseKey('keys/release.pub', key.publicPem)
  if (read.kind === 'refused') throw new Error(read.detail)
  return verifyRelease(image, found, { keys: [read.key], signers: [] })
}

const forms = ['simple-signing', 'bundle'] as const

describe.each(forms)('what cosign signs as %s', (form) => {
  it.each(['ec', 'rsa'] as const)('is verified by its key (%s)', async (kind) => {
    const image = await push()
    const key = await importKey(dir, `${kind}-${form}`, kind)
    await signImage(dir, nameOf(image), key, form)
    const found = await find(image)
    expect(found.map((each) => each.kind)).toEqual([form])
    expect(judge(image, found, key)).toEqual({ kind: 'verified', by: 'key keys/release.pub' })
  })

  it('is no signature of another key, of another image, or once it was changed', async () => {
    const [image, second] = [await push(), await push()]
    await signImage(dir, nameOf(image), release, form)
    const found = await find(image)
    const refusal = (verdict: ReleaseVerdict) => verdict.kind === 'unverified' && verdict.rejection?.kind
    expect(refusal(judge(image, found, other))).toBe('AnotherKey')
    expect(refusal(judge(second, found))).toBe('AnotherDigest')
    const changed = found.map((each): FoundSignature => {
      if (each.kind === 'oversize') return each
      const hex = image.digest.slice('sha256:'.length)
      const swap = (bytes: Uint8Array) =>
        Buffer.from(Buffer.from(bytes).toString().replaceAll(hex, second.digest.slice('sha256:'.length)))
      if (each.kind === 'simple-signing') return { ...each, payload: swap(each.payload) }
      const bundle = JSON.parse(Buffer.from(each.bytes).toString())
      const payload = swap(Buffer.from(bundle.dsseEnvelope.payload, 'base64')).toString('base64')
      const dsseEnvelope = { ...bundle.dsseEnvelope, payload }
      return { kind: 'bundle', bytes: Buffer.from(JSON.stringify({ ...bundle, dsseEnvelope })) }
    })
    expect(refusal(judge(second, changed))).toBe('AnotherKey')
  })
})

describe('signatures beside an image', () => {
  it('may be of both forms and of several keys, one of which is enough', async () => {
    const image = await push()
    for (const form of forms) {
      await signImage(dir, nameOf(image), other, form)
      await signImage(dir, nameOf(image), release, form)
    }
    const found = await find(image)
    expect(found).toHaveLength(4)
    expect(judge(image, found).kind).toBe('verified')
  })

  it('name the repository in the one form that can', async () => {
    const image = await push()
    await signImage(dir, nameOf(image), release, 'simple-signing')
    const copied = { ...image, repository: `${registry.address}/os/copy` }
    expect(judge(copied, await find(image))).toMatchObject({
      rejection: { kind: 'AnotherRepository', repository: image.repository },
      message: expect.stringContaining(`the signature names another repository, ${image.repository}`),
    })
  })

  it('are said to be missing, with what was looked for', async () => {
    const image = await push()
    expect(judge(image, await find(image))).toEqual({
      kind: 'unverified',
      rejection: null,
      message: `verifying ${nameOf(image)}: a release signature by key keys/release.pub is needed, and no signature was found`,
    })
  })

  it('are not what the same key says about the packages inside', async () => {
    const image = await push()
    await attestImage(dir, nameOf(image), release)
    const verdict = judge(image, await find(image))
    expect(verdict).toMatchObject({ kind: 'unverified', rejection: { kind: 'NoRelease' } })
  })
})
