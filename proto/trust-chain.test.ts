import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { keyIdOf } from './envelope.ts'
import { TRUST_SIZE_MAX_BYTES } from './trust-bundle.ts'
import type { TrustContent } from './trust-bundle.ts'
import { isExpired, keysOf, openChain, openFirstBundle, openNextBundle, sealBundle } from './trust-chain.ts'
import type { OpenTrust, TrustBundle } from './trust-chain.ts'

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
const pair = (): Pair => generateKeyPairSync('ed25519')
const p256 = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()
const id = ({ publicKey }: Pair): string => keyIdOf(publicKey)
const roots = [pair(), pair(), p256()] as const
const fresh = [pair(), pair(), pair()] as const
const director = pair()
const release = p256()
const stranger = pair()

type Shape = { readonly number?: number; readonly root?: readonly Pair[]; readonly threshold?: number }
function contentOf({ number = 1, root = roots, threshold = 2 }: Shape = {}): TrustContent {
  return {
    version: 1,
    number,
    issuedAt: `2026-01-${String(number).padStart(2, '0')}T00:00:00.000Z`,
    expiresAt: '2027-01-01T00:00:00.000Z',
    keys: [...root, director, release].map((one) => ({ id: id(one), publicKey: pem(one.publicKey) })),
    roles: {
      root: { threshold, keyIds: root.map((one) => id(one)) },
      director: { threshold: 1, keyIds: [id(director)] },
      release: { threshold: 1, keyIds: [id(release)] },
      approver: { threshold: 1, keyIds: [] },
    },
    certificateAuthorities: ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'],
  }
}

const seal = (content: TrustContent, by: readonly Pair[] = [roots[0], roots[1]]): Buffer =>
  sealBundle(
    content,
    by.map(({ privateKey }) => privateKey),
  )
const refusalOf = (opened: OpenTrust): string => (opened.kind === 'refused' ? opened.refusal : opened.kind)

function opened(result: OpenTrust): TrustBundle {
  if (result.kind === 'refused') throw new Error(`${result.refusal}: ${result.detail}`)
  return result.bundle
}

const firstEnvelope = seal(contentOf())
const first = opened(openFirstBundle(firstEnvelope))
const second = opened(openNextBundle(first, seal(contentOf({ number: 2 }))))

type Raw = { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }
const raw = (envelope: Uint8Array): Raw => JSON.parse(Buffer.from(envelope).toString()) as Raw
const asBytes = (value: Raw): Buffer => Buffer.from(JSON.stringify(value))
const withPayload = (text: string) =>
  asBytes({ ...raw(firstEnvelope), payload: Buffer.from(text).toString('base64') })

test('a bundle opens to what was signed, with the keys of its roles', () => {
  expect(first.content).toEqual(contentOf())
  expect(keysOf(first, 'director').map((key) => keyIdOf(key))).toEqual([id(director)])
  expect(keysOf(first, 'approver')).toEqual([])
  const endMs = Date.parse(contentOf().expiresAt)
  expect([endMs - 1, endMs].map((nowMs) => isExpired(first, nowMs))).toEqual([false, true])
})

test('a chain is followed through a bundle that has expired to the one in force', () => {
  const short = { ...contentOf({ number: 2 }), expiresAt: '2026-01-02T00:00:01.000Z' }
  const chain = [firstEnvelope, seal(short), seal(contentOf({ number: 3 }))]
  expect(opened(openChain(chain)).content.number).toBe(3)
  expect(refusalOf(openChain([]))).toBe('Malformed')
  expect(refusalOf(openChain(Array.from({ length: 257 }, () => firstEnvelope)))).toBe('TooLarge')
  expect(refusalOf(openChain(chain.slice(1)))).toBe('NotFirst')
  expect(refusalOf(openChain([firstEnvelope, chain[2] ?? firstEnvelope]))).toBe('NotNext')
})

describe('root keys are replaced', () => {
  const content = contentOf({ number: 2, root: fresh })

  it('when enough of the old and enough of the new ones sign', () => {
    const next = opened(openNextBundle(first, seal(content, [roots[0], roots[2], fresh[0], fresh[1]])))
    expect(next.content.roles.root.keyIds).toEqual(fresh.map((one) => id(one)))
    expect(
      refusalOf(openNextBundle(next, seal(contentOf({ number: 3, root: fresh }), [fresh[1], fresh[2]]))),
    ).toBe('opened')
  })

  it.each<[string, readonly Pair[], string]>([
    ['only the old ones', [roots[0], roots[1]], 'TooFewSignatures'],
    ['only the new ones', [fresh[0], fresh[1], fresh[2]], 'TooFewOldSignatures'],
    ['one old key too few', [roots[0], fresh[0], fresh[1]], 'TooFewOldSignatures'],
    ['one new key too few', [roots[0], roots[1], fresh[0]], 'TooFewSignatures'],
    ['the director in place of a root', [roots[0], director, fresh[0], fresh[1]], 'TooFewOldSignatures'],
  ])('not when %s sign', (_who, by, refusal) => {
    expect(refusalOf(openNextBundle(first, seal(content, by)))).toBe(refusal)
  })
})

describe('a bundle is refused', () => {
  it.each<[string, Buffer, string]>([
    ['that replays the one in force', firstEnvelope, 'NotNext'],
    [
      'that replaces the one in force by other content',
      seal({ ...contentOf({ number: 2 }), expiresAt: '2028-01-01T00:00:00.000Z' }),
      'NotNext',
    ],
    ['that skips a number', seal(contentOf({ number: 4 })), 'NotNext'],
    [
      'that skips to the highest number',
      seal({ ...contentOf(), number: Number.MAX_SAFE_INTEGER }),
      'NotNext',
    ],
    ['that too few signed', seal(contentOf({ number: 3 }), [roots[0]]), 'TooFewSignatures'],
    [
      'that lowered its own threshold',
      seal(contentOf({ number: 3, threshold: 1 }), [roots[0]]),
      'TooFewOldSignatures',
    ],
    [
      'that a stranger signed too',
      seal(contentOf({ number: 3 }), [roots[0], roots[1], stranger]),
      'UnknownKey',
    ],
    [
      'that was issued before the last',
      seal({ ...contentOf({ number: 3 }), issuedAt: contentOf().issuedAt }),
      'IssuedBefore',
    ],
  ])('%s', (_why, envelope, refusal) => {
    expect(refusalOf(openNextBundle(second, envelope))).toBe(refusal)
  })

  it('that one key signed twice', () => {
    const envelope = raw(seal(contentOf(), [roots[0]]))
    const twice = asBytes({ ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] })
    expect(refusalOf(openFirstBundle(twice))).toBe('Malformed')
  })

  it('that lists one key under two ids, so that its one holder would count as two', () => {
    const content = contentOf()
    const other = 'f'.repeat(64)
    const keys = [...content.keys, { id: other, publicKey: pem(roots[0].publicKey) }]
    const doubled = { ...content.roles, root: { threshold: 2, keyIds: [id(roots[0]), other] } }
    expect(
      refusalOf(openFirstBundle(withPayload(JSON.stringify({ ...content, keys, roles: doubled })))),
    ).toBe('Malformed')
  })

  it('that joins the payload of one bundle with the signatures of another', () => {
    const mixed = { ...raw(firstEnvelope), payload: raw(seal(contentOf({ threshold: 1 }))).payload }
    expect(refusalOf(openFirstBundle(asBytes(mixed)))).toBe('BadSignature')
  })

  it('that is too large, no envelope, or a plan', () => {
    expect(refusalOf(openFirstBundle(Buffer.alloc(TRUST_SIZE_MAX_BYTES + 1, 0x20)))).toBe('TooLarge')
    expect(refusalOf(openFirstBundle(Buffer.from('{}')))).toBe('Malformed')
    const plan = { ...raw(firstEnvelope), payloadType: 'application/vnd.bootfleet.plan.v1+json' }
    expect(refusalOf(openFirstBundle(asBytes(plan)))).toBe('UnknownPayloadType')
  })

  it.each<[string, (content: TrustContent) => unknown]>([
    ['a field that we do not know', (content) => ({ ...content, extra: 1 })],
    [
      'a key in two roles',
      (content) => ({ ...content, roles: { ...content.roles, release: content.roles.director } }),
    ],
    [
      'a key without a role',
      (content) => ({ ...content, roles: { ...content.roles, release: { threshold: 1, keyIds: [] } } }),
    ],
    ['a role whose key is not listed', (content) => ({ ...content, keys: content.keys.slice(1) })],
    [
      'a threshold that cannot be reached',
      (content) => ({
        ...content,
        roles: { ...content.roles, root: { ...content.roles.root, threshold: 4 } },
      }),
    ],
    [
      'a threshold of none',
      (content) => ({
        ...content,
        roles: { ...content.roles, root: { ...content.roles.root, threshold: 0 } },
      }),
    ],
    [
      'no director',
      (content) => ({ ...content, roles: { ...content.roles, director: { threshold: 1, keyIds: [] } } }),
    ],
    [
      'a director that is not Ed25519',
      (content) => ({
        ...content,
        roles: { ...content.roles, director: content.roles.release, release: content.roles.director },
      }),
    ],
    ['an end before its beginning', (content) => ({ ...content, expiresAt: content.issuedAt })],
  ])('with %s', (_what, spoil) => {
    const spoilt = spoil(contentOf())
    expect(refusalOf(openFirstBundle(withPayload(JSON.stringify(spoilt))))).toBe('Malformed')
    expect(() => sealBundle(spoilt as TrustContent, [roots[0].privateKey])).toThrow(RangeError)
  })

  it('that names a key twice', () => {
    const text = JSON.stringify(contentOf()).replace('{', '{"number":1,')
    expect(refusalOf(openFirstBundle(withPayload(text)))).toBe('Malformed')
  })

  it('wherever one byte of it was changed', () => {
    const envelope = seal(contentOf({ root: [roots[0]], threshold: 1 }), [roots[0]])
    for (let at = 0; at < envelope.length; at += 1) {
      const changed = Buffer.from(envelope)
      changed.writeUInt8((changed.at(at) ?? 0) ^ (at % 2 === 0 ? 0x01 : 0x20), at)
      expect([at, refusalOf(openFirstBundle(changed))]).not.toEqual([at, 'opened'])
    }
  })
})

test('whatever bytes come, a bundle is refused and nothing is thrown', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        expect(openFirstBundle(bytes).kind).toBe('refused')
        expect(openNextBundle(second, bytes).kind).toBe('refused')
      },
    ),
    { numRuns: 500 },
  )
})

test('no choice of signers below a threshold is enough, and every other is', () => {
  const all = [...roots, ...fresh]
  const content = contentOf({ number: 2, root: fresh })
  fc.assert(
    fc.property(fc.subarray(all, { minLength: 1 }), (by) => {
      const old = by.filter((one) => roots.some((root) => root === one)).length
      const own = by.length - old
      const enough = old >= 2 && own >= 2
      expect(openNextBundle(first, seal(content, by)).kind).toBe(enough ? 'opened' : 'refused')
    }),
    { numRuns: 40 },
  )
})
