import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import { preAuthenticationEncoding } from '../../proto/envelope.ts'
import { readTrustedRoot } from '../../proto/keyless-signer.ts'
import { readReleaseKey } from '../../proto/release-key.ts'
import type { ReleasePolicy } from '../../proto/release-policy.ts'
import { verifyRelease } from '../../proto/release-signature.ts'
import type { FoundSignature } from '../../proto/release-verdict.ts'
import { openPrivateSigstore } from '../support/private-sigstore.ts'
import { fuzz, must } from './fuzz.ts'
import type { Taken } from './fuzz.ts'

const image = { repository: 'r.example/os', digest: `sha256:${'ab'.repeat(32)}` }
const signer = { issuer: 'https://i.example', subject: 'https://f.example/os/release@refs/tags/1' }
const payloadType = 'application/vnd.in-toto+json'
const pairs = [
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  generateKeyPairSync('ed25519'),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
]
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: '', digest: { sha256: 'ab'.repeat(32) } }],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  predicate: {},
}
const critical = {
  identity: { 'docker-reference': image.repository },
  image: { 'docker-manifest-digest': image.digest },
  type: 'cosign container image signature',
}
const statementBytes = Buffer.from(JSON.stringify(statement))
const simplePayload = Buffer.from(JSON.stringify({ critical, optional: null }))
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

function releaseKeys(): ReleasePolicy['keys'] {
  return pairs.map(({ publicKey }, index) => {
    const read = readReleaseKey(`key ${index}`, pem(publicKey))
    if (read.kind === 'refused') throw new Error(read.detail)
    return read.key
  })
}

const signedBy = (key: KeyObject, bytes: Uint8Array): string =>
  sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key).toString('base64')

function judged(found: FoundSignature, policy: ReleasePolicy, signedBytes: () => boolean): Taken {
  if (verifyRelease(image, [found], policy).kind === 'unverified') return 'refused'
  must(signedBytes(), 'a release was taken that nobody signed so')
  return 'accepted'
}

const Bundle = z.object({ dsseEnvelope: z.object({ payload: z.string() }) })
const isStatement = (input: Buffer): boolean => {
  const { payload } = Bundle.parse(JSON.parse(input.toString())).dsseEnvelope
  return payload === statementBytes.toString('base64')
}

fuzz('a sigstore bundle by a key', () => {
  const keys = releaseKeys()
  const seeds = pairs.map(({ privateKey }) => {
    const sig = signedBy(privateKey, preAuthenticationEncoding(payloadType, statementBytes))
    const payload = statementBytes.toString('base64')
    return Buffer.from(
      JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { publicKey: { hint: 'AA==' } },
        dsseEnvelope: { payload, payloadType, signatures: [{ sig }] },
      }),
    )
  })
  const take = (bytes: Buffer) =>
    judged({ kind: 'bundle', bytes }, { keys, signers: [] }, () => isStatement(bytes))
  return { seeds, take }
})

fuzz('a sigstore bundle by a certificate', async () => {
  const sigstore = await openPrivateSigstore()
  const policy = { keys: [], signers: [exactly(sigstore.trustedRoot)] }
  const take = (bytes: Buffer) => judged({ kind: 'bundle', bytes }, policy, () => isStatement(bytes))
  return { seeds: [await sigstore.bundle(signer, statement)], take }
})

const Simple = z.object({
  payload: z.string(),
  signature: z.string(),
  certificate: z.string().nullable(),
  logEntry: z.string().nullable(),
})

/** What lies beside an image in several places, as one input. */
function simpleSigning(input: Buffer, policy: ReleasePolicy): Taken {
  const parts = Simple.safeParse(jsonOf(input))
  if (!parsed(parts)) return 'refused'
  const payload = Buffer.from(parts.data.payload, 'base64')
  const found = { ...parts.data, kind: 'simple-signing' as const, payload }
  return judged(found, policy, () => payload.equals(simplePayload))
}

const parsed = <Of>(result: z.ZodSafeParseResult<Of>): result is z.ZodSafeParseSuccess<Of> => result.success

const seedOf = (signature: string, certificate: string | null, logEntry: string | null): Buffer =>
  Buffer.from(JSON.stringify({ payload: simplePayload.toString('base64'), signature, certificate, logEntry }))

fuzz('simple signing by a key', () => {
  const keys = releaseKeys()
  const seeds = pairs.map(({ privateKey }) => seedOf(signedBy(privateKey, simplePayload), null, null))
  return { seeds, take: (input) => simpleSigning(input, { keys, signers: [] }) }
})

fuzz('simple signing by a certificate', async () => {
  const sigstore = await openPrivateSigstore()
  const policy = { keys: [], signers: [exactly(sigstore.trustedRoot)] }
  const { certificate, logEntry, signature } = await sigstore.simpleSigning(signer, simplePayload)
  return { seeds: [seedOf(signature, certificate, logEntry)], take: (input) => simpleSigning(input, policy) }
})

fuzz('a trusted root', async () => {
  const sigstore = await openPrivateSigstore()
  const { trustedRoot } = sigstore
  const found = { kind: 'bundle' as const, bytes: await sigstore.bundle(signer, statement) }
  return {
    seeds: [trustedRoot],
    take: (input): Taken => {
      const read = readTrustedRoot('fuzzed', input)
      if (read.kind === 'refused') return 'refused'
      verifyRelease(image, [found], { keys: [], signers: [{ ...exactly(trustedRoot), root: read.root }] })
      return 'accepted'
    },
  }
})

fuzz('a release key', () => ({
  seeds: pairs.map(({ publicKey }) => Buffer.from(pem(publicKey))),
  take: (input): Taken =>
    readReleaseKey('fuzzed', input.toString('utf8')).kind === 'key' ? 'accepted' : 'refused',
}))

function exactly(trustedRoot: Buffer): ReleasePolicy['signers'][number] {
  const read = readTrustedRoot('own', trustedRoot)
  if (read.kind === 'refused') throw new Error(read.detail)
  return { root: read.root, issuer: signer.issuer, subject: { kind: 'exact', value: signer.subject } }
}

function jsonOf(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'))
  } catch {
    return undefined
  }
}
