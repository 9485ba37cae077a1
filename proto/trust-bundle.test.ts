import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keyIdOf } from './envelope.ts'
import { readContent, readPublicKey } from './trust-bundle.ts'
import type { TrustContent } from './trust-bundle.ts'

const root = generateKeyPairSync('ed25519').publicKey
const director = generateKeyPairSync('ed25519').publicKey
const release = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()
const listed = (key: KeyObject) => ({ id: keyIdOf(key), publicKey: pem(key) })
const held = (...keys: readonly KeyObject[]) => ({ threshold: 1, keyIds: keys.map((key) => keyIdOf(key)) })

const content: TrustContent = {
  version: 1,
  number: 1,
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2027-01-01T00:00:00.000Z',
  keys: [root, director, release].map((key) => listed(key)),
  roles: { root: held(root), director: held(director), release: held(release), approver: held() },
  certificateAuthorities: ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'],
}
const withRoles = (roles: Partial<TrustContent['roles']>) => ({
  ...content,
  roles: { ...content.roles, ...roles },
})

describe('what a bundle says', () => {
  it('is read as it is', () => {
    expect(readContent(content)).toMatchObject({ kind: 'read', content })
  })

  // Each flaw is one that no other check finds, or finds first.
  it.each<[string, unknown, string]>([
    ['is no bundle', { ...content, number: 0 }, 'number'],
    [
      'lists what is no key',
      { ...content, keys: [{ ...listed(root), publicKey: 'x' }] },
      'neither Ed25519 nor',
    ],
    [
      'lists a key under another id',
      { ...content, keys: [{ ...listed(root), id: keyIdOf(release) }, ...content.keys.slice(1, 2)] },
      'has another id',
    ],
    ['lists a key twice', { ...content, keys: [...content.keys, listed(root)] }, 'is listed twice'],
    ['names a key that is not listed', { ...content, keys: content.keys.slice(1) }, 'which is not listed'],
    ['gives a key two roles', withRoles({ approver: held(release) }), 'has more than one role'],
    ['names a key twice in a role', withRoles({ release: held(release, release) }), 'has more than one role'],
    [
      'has a director of another kind',
      withRoles({ director: held(release), release: held(director) }),
      'is not Ed25519',
    ],
    [
      'asks for more keys than there are',
      withRoles({ release: { ...held(release), threshold: 2 } }),
      'needs 2',
    ],
    ['has no root', { ...withRoles({ root: held() }), keys: content.keys.slice(1) }, 'role root has no key'],
    [
      'has no director',
      { ...withRoles({ director: held() }), keys: [listed(root), listed(release)] },
      'role director has no key',
    ],
    ['has a key without a role', withRoles({ release: held() }), 'has no role'],
    ['ends before it begins', { ...content, expiresAt: content.issuedAt }, 'expires before it was issued'],
  ])('is refused when it %s', (_what, value, found) => {
    expect(readContent(value)).toEqual({ kind: 'invalid', detail: expect.stringContaining(found) })
  })

  it('is refused when a plan would need two directors, as it carries one signature', () => {
    const second = generateKeyPairSync('ed25519').publicKey
    const roles = { ...content.roles, director: { ...held(director, second), threshold: 2 } }
    const value = { ...content, keys: [...content.keys, listed(second)], roles }
    expect(readContent(value)).toMatchObject({ detail: 'role director needs exactly one key' })
  })
})

describe('a public key in a bundle', () => {
  it('is Ed25519 or ECDSA P-256', () => {
    expect([root, release].map((key) => readPublicKey(pem(key))?.equals(key))).toEqual([true, true])
    const others = [
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      generateKeyPairSync('ed448'),
      generateKeyPairSync('x25519'),
    ]
    expect(others.map(({ publicKey }) => readPublicKey(pem(publicKey)))).toEqual([null, null, null, null])
  })

  it('is no private key, of which the public half could be taken', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    expect(readPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).toBeNull()
    expect(readPublicKey('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')).toBeNull()
  })
})
