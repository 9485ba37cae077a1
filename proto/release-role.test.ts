import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keyIdOf, preAuthenticationEncoding } from './envelope.ts'
import { PLAN_SIGNATURES_MAX_BYTES, PlanSignatures } from './plan-signature.ts'
import { judgePlanned, judgeRelease } from './release-role.ts'
import type { ReleaseRole } from './release-role.ts'
import type { FoundSignature } from './release-verdict.ts'
import { makeSimpleSigning } from './simple-signing.ts'

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const [first, second, third, stranger] = [newKey(), newKey(), newKey(), newKey()]
const image = { repository: 'r.example/os', digest: `sha256:${'ab'.repeat(32)}` }

function roleOf(threshold: number, ...keys: readonly KeyObject[]): ReleaseRole {
  const publicKeys = keys.map((key) => createPublicKey(key))
  return { threshold, keys: publicKeys.map((key) => ({ name: keyIdOf(key).slice(0, 12), key })) }
}

/** As cosign 3 leaves it, with what a log said of it. */
function bundleBy(key: KeyObject, log = '', predicate: unknown = {}): FoundSignature {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: 'ab'.repeat(32) } }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate,
  }
  const payload = Buffer.from(JSON.stringify(statement))
  const payloadType = 'application/vnd.in-toto+json'
  const sig = sign('sha256', preAuthenticationEncoding(payloadType, payload), key).toString('base64')
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'x' }, tlogEntries: [{ log }] },
    dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [{ sig }] },
  }
  return { kind: 'bundle', bytes: Buffer.from(JSON.stringify(bundle)) }
}

const by = (key: KeyObject): FoundSignature => makeSimpleSigning(image, key)

describe('a release role', () => {
  it.each<[string, FoundSignature[], ReleaseRole]>([
    ['one key, in the older form', [by(first)], roleOf(1, first)],
    ['one key, in the newer form', [bundleBy(first)], roleOf(1, first)],
    ['any of its keys where one suffices', [by(second)], roleOf(1, first, second)],
    ['two of three keys', [by(third), bundleBy(first)], roleOf(2, first, second, third)],
    [
      'a key, behind others and a wreck',
      [by(stranger), { kind: 'oversize', bytes: 9e9 }, by(first)],
      roleOf(1, first),
    ],
  ])('is satisfied by %s, and by what a plan keeps of it', (_what, found, role) => {
    const verdict = judgeRelease(image, found, role)
    if (verdict.kind === 'unsigned') throw new Error(verdict.message)
    expect(verdict.signatures).toHaveLength(role.threshold)
    expect(judgePlanned(image, PlanSignatures.parse(verdict.signatures), role).kind).toBe('signed')
  })

  it.each<[string, FoundSignature[], ReleaseRole, string]>([
    ['nothing', [], roleOf(1, first), 'there is none'],
    ['a stranger', [by(stranger)], roleOf(1, first), 'it is signed by another key'],
    ['one key of two', [by(first)], roleOf(2, first, second), '1 was found'],
    ['the same key twice', [by(first), bundleBy(first)], roleOf(2, first, second), '1 was found'],
    [
      'a signature for another image',
      [makeSimpleSigning({ ...image, digest: `sha256:${'cd'.repeat(32)}` }, first)],
      roleOf(1, first),
      'the signature is for another image',
    ],
  ])('is not satisfied by %s', (_what, found, role, sentence) => {
    const verdict = judgeRelease(image, found, role)
    expect(verdict).toMatchObject({ kind: 'unsigned', message: expect.stringContaining(sentence) as string })
  })

  it('keeps of a signature no more than says who signed what', () => {
    const verdict = judgeRelease(image, [bundleBy(first, 'x'.repeat(40_000)), by(first)], roleOf(1, first))
    expect(JSON.stringify(verdict).length).toBeLessThan(1_000)
    const alone = judgeRelease(image, [bundleBy(first, 'x'.repeat(40_000))], roleOf(1, first))
    expect(JSON.stringify(alone).length).toBeLessThan(1_500)
  })

  it('takes no signature that a plan has no room for', () => {
    const large = bundleBy(first, '', { text: 'x'.repeat(PLAN_SIGNATURES_MAX_BYTES) })
    const verdict = judgeRelease(image, [large], roleOf(1, first))
    expect(verdict).toMatchObject({ message: expect.stringContaining('more than the 16384') as string })
  })
})
