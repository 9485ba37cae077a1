import { generateKeyPairSync, sign } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { preAuthenticationEncoding } from './envelope.ts'
import { readTrustedRoot } from './keyless-signer.ts'
import { readReleaseKey } from './release-key.ts'
import type { ReleasePolicy } from './release-policy.ts'
import { verifyRelease } from './release-signature.ts'
import type { FoundSignature } from './release-verdict.ts'
import { BUNDLE_MAX_BYTES } from './signature-bundle.ts'
import { matchesWildcard } from './wildcard.ts'

const pair = generateKeyPairSync('ed25519')
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const hex = 'ab'.repeat(32)
const image = { repository: 'r.example/os', digest: `sha256:${hex}` }

function policyOf(pem: string): ReleasePolicy {
  const read = readReleaseKey('release.pub', pem)
  if (read.kind === 'refused') throw new Error(read.detail)
  return { keys: [read.key], signers: [] }
}
const policy = policyOf(publicPem)

const statement = (more: object = {}) => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ digest: { sha256: hex } }],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  predicate: {},
  ...more,
})

function bundle(signed: unknown = statement(), more: object = {}): FoundSignature {
  const payload = Buffer.from(typeof signed === 'string' ? signed : JSON.stringify(signed))
  const payloadType = 'application/vnd.in-toto+json'
  const sig = sign(null, preAuthenticationEncoding(payloadType, payload), pair.privateKey).toString('base64')
  const json = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'x' } },
    dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [{ sig }] },
    ...more,
  }
  return { kind: 'bundle', bytes: Buffer.from(JSON.stringify(json)) }
}

const envelope = {
  payload: Buffer.from('{}').toString('base64'),
  payloadType: 'application/vnd.in-toto+json',
  signatures: [{ sig: 'AA==' }],
}

const critical = {
  identity: { 'docker-reference': 'r.example/os:1.0' },
  image: { 'docker-manifest-digest': image.digest },
  type: 'cosign container image signature',
}

function simpleSigning(more: object = {}): Extract<FoundSignature, { kind: 'simple-signing' }> {
  const payload = Buffer.from(JSON.stringify({ critical: { ...critical, ...more } }))
  const signature = sign(null, payload, pair.privateKey).toString('base64')
  return { kind: 'simple-signing', payload, signature, certificate: null, logEntry: null }
}
const simple = simpleSigning()

const kindOf = (...found: FoundSignature[]) => {
  const verdict = verifyRelease(image, found, policy)
  return verdict.kind === 'verified' ? 'verified' : verdict.rejection?.kind
}

describe('a release signature', () => {
  it('counts in both forms, also behind others that do not', () => {
    const wreck: FoundSignature = { kind: 'bundle', bytes: Buffer.from('no JSON') }
    expect([kindOf(bundle()), kindOf(simple), kindOf(wreck, bundle())]).toEqual(Array(3).fill('verified'))
  })

  it.each([
    ['NoRelease', bundle(statement({ predicateType: 'https://spdx.dev/Document' }))],
    ['AnotherDigest', bundle(statement({ subject: [{ digest: { sha256: 'cd'.repeat(32) } }] }))],
    ['AnotherDigest', bundle(statement({ subject: [{ digest: { sha512: hex } }] }))],
    ['Malformed', bundle(statement({ subject: [] }))],
    ['Malformed', bundle(`${JSON.stringify(statement()).slice(0, -1)},"subject":[]}`)],
    ['Malformed', bundle(statement(), { dsseEnvelope: {} })],
    ['Malformed', bundle(statement(), { dsseEnvelope: { ...envelope, payload: '%%%' } })],
    ['Malformed', bundle(statement(), { dsseEnvelope: { ...envelope, signatures: [{ sig: 'AB==' }] } })],
    ['Malformed', bundle(statement(), { mediaType: 'application/json' })],
    ['TooLarge', { kind: 'bundle', bytes: Buffer.alloc(BUNDLE_MAX_BYTES + 1, ' ') }],
    ['TooLarge', { kind: 'oversize', bytes: 10_000_000 }],
    ['TooLarge', { ...simple, payload: Buffer.alloc(70_000) }],
    ['Malformed', { ...simple, signature: '%%%' }],
    ['Malformed', simpleSigning({ type: 'atomic container signature' })],
    ['Malformed', simpleSigning({ identity: {} })],
    ['AnotherDigest', simpleSigning({ image: { 'docker-manifest-digest': `sha256:${'cd'.repeat(32)}` } })],
    ['AnotherRepository', simpleSigning({ identity: { 'docker-reference': 'r.example/os2' } })],
    ['AnotherRepository', simpleSigning({ identity: { 'docker-reference': 'r.example:5000/os' } })],
    ['AnotherRepository', simpleSigning({ identity: { 'docker-reference': 'x/r.example/os' } })],
    ['AnotherKey', { ...simple, payload: Buffer.from('{}'), certificate: 'x' }],
  ] satisfies [string, FoundSignature][])('is refused as %s', (expected, found) => {
    expect(kindOf(found)).toBe(expected)
  })

  it('is one of one: of two in an envelope some readers take the first, and some any', () => {
    const whole = bundle()
    if (whole.kind !== 'bundle') throw new Error('not that form')
    const json = JSON.parse(Buffer.from(whole.bytes).toString())
    const [signature] = json.dsseEnvelope.signatures
    for (const signatures of [[signature, signature], [signature, { sig: 'AA==' }], []]) {
      const dsseEnvelope = { ...json.dsseEnvelope, signatures }
      expect(kindOf(bundle(statement(), { dsseEnvelope }))).toBe('Malformed')
    }
  })

  it('is never made of one that somebody changed, and nothing found ever throws', () => {
    const both = fc.constantFrom(bundle(), simple)
    const damage = fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), bit: fc.nat(7) })
    fc.assert(
      fc.property(both, damage, (found, { at, bit }) => {
        if (found.kind === 'oversize') return
        const bytes = Buffer.from(found.kind === 'bundle' ? found.bytes : found.payload)
        const index = Math.floor(at * bytes.length)
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
        const changed: FoundSignature =
          found.kind === 'bundle' ? { kind: 'bundle', bytes } : { ...found, payload: bytes }
        // What is around the envelope, like the hint at a key, is signed by nobody and means nothing.
        const isSigned = found.kind === 'simple-signing' || index > bytes.indexOf('"payload"')
        if (isSigned && kindOf(changed) === 'verified') {
          expect(JSON.parse(bytes.toString()).dsseEnvelope).toEqual(
            JSON.parse(Buffer.from((found as { bytes: Uint8Array }).bytes).toString()).dsseEnvelope,
          )
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('is never found in noise', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.json().map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(noise, fc.string(), (bytes, text) => {
        const found: FoundSignature[] = [
          { kind: 'bundle', bytes },
          { kind: 'simple-signing', payload: bytes, signature: text, certificate: text, logEntry: text },
        ]
        expect(verifyRelease(image, found, policy).kind).toBe('unverified')
        expect(readTrustedRoot('x', bytes).kind).toBe('refused')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a key of whoever releases', () => {
  const pem = (key: { export(as: { type: 'spki'; format: 'pem' }): string | Buffer }) =>
    key.export({ type: 'spki', format: 'pem' }).toString()

  it.each([
    ['no PEM', 'ssh-ed25519 AAAA', 'it is not one public key in PEM form (BEGIN PUBLIC KEY)'],
    ['two', publicPem + publicPem, 'it is not one public key in PEM form (BEGIN PUBLIC KEY)'],
    [
      'a private key',
      pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'it is not one public key in PEM form (BEGIN PUBLIC KEY)',
    ],
    ['noise', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'its PEM holds no public key'],
    ['much', 'x'.repeat(9000), 'it has more than 8192 bytes'],
    [
      'P-384',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey),
      'its curve is secp384r1, and only P-256 is supported',
    ],
    [
      'a short one',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      'it has 1024 bits, fewer than 2048',
    ],
    [
      'for agreeing',
      pem(generateKeyPairSync('x25519').publicKey),
      'it is a key of kind x25519; ECDSA P-256, Ed25519 and RSA are supported',
    ],
  ])('is refused when it is %s', (_, text, detail) => {
    expect(readReleaseKey('k', text)).toEqual({ kind: 'refused', detail })
  })
})

it.each([
  ['https://f.example/os/*', 'https://f.example/os/a@refs/tags/1', true],
  ['https://f.example/os/*@refs/tags/*', 'https://f.example/os/a@refs/tags/1', true],
  ['https://f.example/os/*@refs/tags/*', 'https://f.example/os/a@refs/heads/x', false],
  ['https://f.example/os/*', 'https://evil.example/?https://f.example/os/a', false],
  ['*@example.org', 'a@example.org.evil', false],
  ['a*a', 'a', false],
  ['a*b*c', 'abc', true],
  ['a*bb*b', 'abb', false],
  ['plain', 'plain', true],
])('the pattern %s and the subject %s', (pattern, text, expected) => {
  expect(matchesWildcard(pattern, text)).toBe(expected)
})
