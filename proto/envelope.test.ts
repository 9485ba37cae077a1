import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PLAN_PAYLOAD_TYPE, keyIdOf, openPlan, preAuthenticationEncoding, sealPlan } from './envelope.ts'
import type { Plan } from './plan.ts'

const director = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')
const digest = `sha256:${'a'.repeat(64)}`

const plan: Plan = {
  version: 1,
  hostId: 'a'.repeat(26),
  fleet: 'edge',
  rollout: 'edge.1',
  generation: 1,
  attempt: 1,
  term: 1,
  counter: 7,
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-02T00:00:00.000Z',
  image: { repository: 'registry.example/os', digest, manifestDigest: digest, version: '1.0.0' },
  stage: { until: '2026-01-01T02:00:00.000Z' },
  activate: null,
  health: {
    units: [],
    http: [],
    checks: ['web-up'],
    greenboot: false,
    reachController: false,
    stableForMs: 0,
    deadlineMs: 600_000,
  },
  limits: { maxReboots: 4, maxBytes: 1_000_000 },
  deny: [],
  source: { commit: 'c'.repeat(40) },
}

/** An envelope around any payload text, signed for real. */
function sealText(payload: string, options: { key?: typeof director; payloadType?: string } = {}): Buffer {
  const key = options.key ?? director
  const payloadType = options.payloadType ?? PLAN_PAYLOAD_TYPE
  const bytes = Buffer.from(payload)
  const sig = sign(null, preAuthenticationEncoding(payloadType, bytes), key.privateKey).toString('base64')
  const signatures = [{ keyid: keyIdOf(key.publicKey), sig }]
  return Buffer.from(JSON.stringify({ payloadType, payload: bytes.toString('base64'), signatures }))
}

function refusalOf(bytes: Uint8Array): string {
  const result = openPlan(bytes, [director.publicKey])
  return result.kind === 'refused' ? result.refusal : result.kind
}

test('a sealed plan opens to the same plan', () => {
  const result = openPlan(sealPlan(plan, director.privateKey), [director.publicKey])
  expect(result).toMatchObject({ kind: 'opened', plan, keyId: keyIdOf(director.publicKey) })
})

test('a plan signed by a key that is not trusted is refused', () => {
  expect(refusalOf(sealPlan(plan, stranger.privateKey))).toBe('UnknownKey')
})

test('a plan under the key id of a trusted key but signed by another is refused', () => {
  const envelope = JSON.parse(sealPlan(plan, stranger.privateKey).toString())
  envelope.signatures[0].keyid = keyIdOf(director.publicKey)
  expect(refusalOf(Buffer.from(JSON.stringify(envelope)))).toBe('BadSignature')
})

test('an envelope with a second signature is refused, whatever it says', () => {
  const envelope = JSON.parse(sealPlan(plan, director.privateKey).toString())
  envelope.signatures.push(envelope.signatures[0])
  expect(refusalOf(Buffer.from(JSON.stringify(envelope)))).toBe('Malformed')
})

test('a payload of another type is refused, even when signed by the director', () => {
  const bytes = sealText(JSON.stringify(plan), { payloadType: 'application/vnd.in-toto+json' })
  expect(refusalOf(bytes)).toBe('UnknownPayloadType')
})

test('a signed payload that names a key twice is refused', () => {
  const text = JSON.stringify(plan)
  expect(refusalOf(sealText(`${text.slice(0, -1)},"counter":8}`))).toBe('Malformed')
  expect(refusalOf(sealText(text.replace('"version":1', '"version":1,"\\u0076ersion":1')))).toBe('Malformed')
})

test('equal keys in different objects are no duplicates', () => {
  expect(
    refusalOf(
      sealText(
        JSON.stringify({ ...plan, stage: { until: plan.issuedAt }, activate: { until: plan.issuedAt } }),
      ),
    ),
  ).toBe('opened')
})

test('a signed payload with an unknown field, a tag for a digest or bytes that are not UTF-8 is refused', () => {
  expect(refusalOf(sealText(JSON.stringify({ ...plan, command: 'rm' })))).toBe('Malformed')
  expect(refusalOf(sealText(JSON.stringify({ ...plan, image: { ...plan.image, digest: 'stable' } })))).toBe(
    'Malformed',
  )
  expect(refusalOf(Buffer.from([0xff, 0xfe]))).toBe('Malformed')
})

test('an envelope over 64 KiB is refused before it is parsed, and never made', () => {
  expect(refusalOf(Buffer.alloc(64 * 1024 + 1, 0x20))).toBe('TooLarge')
  const deny = Array.from({ length: 256 }, () => digest)
  const long = {
    ...plan,
    deny,
    health: { ...plan.health, checks: Array.from({ length: 64 }, () => 'c'.repeat(63)) },
  }
  expect(openPlan(sealPlan(long, director.privateKey), [director.publicKey]).kind).toBe('opened')
})

test('no changed byte of an envelope opens to anything but the plan that was signed', () => {
  const bytes = sealPlan(plan, director.privateKey)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, flip) => {
      const changed = Buffer.from(bytes)
      changed[position] = (changed[position] ?? 0) ^ flip
      const result = openPlan(changed, [director.publicKey])
      if (result.kind === 'opened') expect(result.plan).toEqual(plan)
    }),
    { numRuns: 2000 },
  )
})

test('openssl accepts the signature over the DSSE encoding', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bootfleet-dsse-'))
  try {
    const envelope = JSON.parse(sealPlan(plan, director.privateKey).toString())
    const payload = Buffer.from(envelope.payload, 'base64')
    writeFileSync(join(dir, 'pae'), preAuthenticationEncoding(envelope.payloadType, payload))
    writeFileSync(join(dir, 'sig'), Buffer.from(envelope.signatures[0].sig, 'base64'))
    writeFileSync(join(dir, 'key.pem'), director.publicKey.export({ type: 'spki', format: 'pem' }))
    const files = ['-inkey', join(dir, 'key.pem'), '-sigfile', join(dir, 'sig'), '-in', join(dir, 'pae')]
    const output = execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-rawin', ...files], {
      encoding: 'utf8',
    })
    expect(output).toContain('Signature Verified Successfully')
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('the encoding is the one of the DSSE specification', () => {
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  expect(encoded.toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})
