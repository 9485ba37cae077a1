import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { planFor } from '../../agent/testing/plans.ts'
import { createRegistryClient } from '../../controller/images/registry-client.ts'
import { PLAN_PAYLOAD_TYPE, preAuthenticationEncoding, sealPlan } from '../../proto/envelope.ts'
import { readReleaseKey } from '../../proto/release-key.ts'
import { verifyRelease } from '../../proto/release-signature.ts'
import { importKey, signImage, verifyBlob } from '../support/cosign.ts'
import type { SigningKey } from '../support/cosign.ts'
import { startGrpcWorld } from '../support/grpc-world.ts'
import type { GrpcWorld } from '../support/grpc-world.ts'
import { startRegistry } from '../support/registry.ts'
import type { Registry } from '../support/registry.ts'
import { complaintOfSkopeo } from '../support/skopeo.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-peers-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

describe('a plan that the director signed', () => {
  const director = generateKeyPairSync('ed25519')
  const envelope: { payload: string; signatures: [{ sig: string }] } = JSON.parse(
    sealPlan(planFor('host-a', '1.0.0'), director.privateKey).toString(),
  )
  const signature = envelope.signatures[0].sig
  const signed = preAuthenticationEncoding(PLAN_PAYLOAD_TYPE, Buffer.from(envelope.payload, 'base64'))
  const changed = Buffer.concat([signed.subarray(0, -1), Buffer.from(' ')])

  it('is verified by openssl, and by cosign as a blob; changed, by neither', async () => {
    const [key, sig, data] = [join(dir, 'director.pub'), join(dir, 'plan.sig'), join(dir, 'plan.pae')]
    await writeFile(key, pem(director.publicKey))
    await writeFile(sig, Buffer.from(signature, 'base64'))
    const openssl = (): Buffer =>
      execFileSync(
        'openssl',
        ['pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', key, '-sigfile', sig, '-in', data],
        {
          stdio: 'pipe',
        },
      )
    await writeFile(data, signed)
    expect(openssl().toString()).toContain('Signature Verified Successfully')
    expect(await verifyBlob(dir, { key, signature, data })).toBe(true)
    await writeFile(data, changed)
    expect(openssl).toThrow('Command failed')
    expect(await verifyBlob(dir, { key, signature, data })).toBe(false)
  })
})

describe('an image', () => {
  let registry: Registry
  let release: SigningKey
  let other: SigningKey
  beforeAll(async () => {
    registry = await startRegistry(dir)
    release = await importKey(dir, 'release')
    other = await importKey(dir, 'other')
  })
  afterAll(() => registry.stop())

  type Image = { readonly repository: string; readonly digest: string }
  async function push(name: string, version = '1.0.0'): Promise<Image> {
    const digest = await registry.pushEmptyImage(name, version)
    return { repository: `${registry.address}/${name}`, digest }
  }
  const nameOf = ({ digest, repository }: Image) => `${repository}@${digest}`

  async function isTakenByUs(image: Image, { publicPem }: SigningKey): Promise<boolean> {
    const read = readReleaseKey('release', publicPem)
    if (read.kind === 'refused') throw new Error(read.detail)
    const client = createRegistryClient({ plainHttpHosts: [registry.address] })
    try {
      const found = await client.signatures(image.repository, image.digest, new AbortController().signal)
      return verifyRelease(image, found, { keys: [read.key], signers: [] }).kind === 'verified'
    } finally {
      await client.close()
    }
  }

  /** As whoever may push to the registry can. */
  async function copySignature(from: Image, to: Image): Promise<void> {
    const [source, target] = [from, to].map(
      ({ digest, repository }) => `docker://${repository}:${digest.replace(':', '-')}.sig`,
    )
    const words = ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false']
    await execa('skopeo', [...words, source ?? '', target ?? ''])
  }

  it.each(['cosign 2', 'cosign 3'] as const)('signed by %s is taken by us and by skopeo', async (signer) => {
    const image = await push(`os/${signer.replace(' ', '-')}`)
    expect(await isTakenByUs(image, release)).toBe(false)
    expect(await complaintOfSkopeo(dir, image, release)).toContain('no signature exists')
    await signImage(dir, nameOf(image), release, signer === 'cosign 2' ? 'cosign 2' : 'simple-signing')
    expect(await isTakenByUs(image, release)).toBe(true)
    expect(await complaintOfSkopeo(dir, image, release)).toBeNull()
  })

  it('signed by another key is taken by neither', async () => {
    const image = await push('os/foreign')
    await signImage(dir, nameOf(image), other, 'simple-signing')
    expect(await isTakenByUs(image, release)).toBe(false)
    expect(await complaintOfSkopeo(dir, image, release)).toContain('invalid signature')
  })

  it('with the signature of another repository or of another image is taken by neither', async () => {
    const image = await push('os/first')
    await signImage(dir, nameOf(image), release, 'simple-signing')
    for (const victim of [await push('os/second'), await push('os/first', '2.0.0')]) {
      await copySignature(image, victim)
      expect(await isTakenByUs(victim, release)).toBe(false)
      expect(await complaintOfSkopeo(dir, victim, release)).toMatch(/is not accepted|does not match/)
    }
  })

  it('signed in the form of a bundle is taken by us, and not seen by skopeo yet', async () => {
    const image = await push('os/bundle')
    await signImage(dir, nameOf(image), release, 'bundle')
    expect(await isTakenByUs(image, release)).toBe(true)
    expect(await complaintOfSkopeo(dir, image, release)).toContain('no signature exists')
  })

  // cosign signs images with such a key over their hash (Ed25519ph), and then looks for a signature without it.
  it('signed with an Ed25519 key by cosign is taken neither by us nor by cosign itself', async () => {
    const image = await push('os/ed25519')
    const key = await importKey(dir, 'ed25519', 'ed25519')
    await signImage(dir, nameOf(image), key, 'bundle')
    expect(await isTakenByUs(image, key)).toBe(false)
    await writeFile(join(dir, 'ed25519.pub'), key.publicPem)
    const words = [
      'verify',
      '--key',
      join(dir, 'ed25519.pub'),
      '--insecure-ignore-tlog=true',
      '--allow-http-registry',
    ]
    await expect(
      execa(join(import.meta.dirname, '../../.cache/tools/cosign'), [...words, nameOf(image)]),
    ).rejects.toThrow('no matching')
  })
})

describe('buf curl, a client of another make', () => {
  let world: GrpcWorld
  beforeAll(async () => {
    world = await startGrpcWorld()
    await writeFile(join(dir, 'ca.pem'), world.authority.certificatePem)
    await writeFile(join(dir, 'kim.pem'), world.operator.certificatePem)
    await writeFile(join(dir, 'kim.key'), world.operator.keyPem)
  })
  afterAll(() => world.close())

  const root = join(import.meta.dirname, '../..')
  function call(method: string, body: object, settings: readonly string[]) {
    const url = `https://${world.address.replace('127.0.0.1', 'localhost')}/bootfleet.v1.OperatorService/${method}`
    const words = ['--protocol', 'grpc', '--cacert', join(dir, 'ca.pem'), '--data', JSON.stringify(body), url]
    return execa(join(root, 'node_modules/.bin/buf'), ['curl', ...settings, ...words], {
      reject: false,
      timeout: 60_000,
    })
  }
  const schema = ['--schema', join(root, 'proto')]
  const kim = () => ['--cert', join(dir, 'kim.pem'), '--key', join(dir, 'kim.key')]

  test('is answered with a certificate, and not without one', async () => {
    const known = await call('GetStatus', {}, [...schema, ...kim()])
    expect(JSON.parse(known.stderr)).toMatchObject({ code: 'unavailable', message: 'another leads' })
    const stranger = await call('GetStatus', {}, schema)
    expect(stranger.exitCode).not.toBe(0)
    expect(JSON.parse(stranger.stderr)).toMatchObject({
      message: expect.not.stringContaining('another leads'),
    })
  })
})
