import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { preAuthenticationEncoding } from './envelope.ts'
import { countersign, openPermit, readPermit, sealPermit } from './permit.ts'
import type { ApproverRole, Permit } from './permit.ts'
import { SignedDocument, signDocument } from './signed-document.ts'

const [first, second, stranger] = [newKey('ed25519'), newKey('p256'), newKey('ed25519')]
const permit: Permit = {
  version: 1,
  action: 'downgrade',
  fleet: 'edge',
  repository: 'r.example/os',
  lowestVersion: '1.0',
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-08T00:00:00.000Z',
  reason: 'the camera driver of 2.0',
}

function newKey(kind: 'ed25519' | 'p256'): KeyObject {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

const roleOf = (threshold: number, ...keys: readonly KeyObject[]): ApproverRole => ({
  threshold,
  keys: keys.map((key) => createPublicKey(key)),
})
const documentOf = (text: string): SignedDocument => SignedDocument.parse(JSON.parse(text))

describe('a permit', () => {
  it('counts with the signatures of as many approvers as must sign, made together or one after the other', () => {
    const role = roleOf(2, first, second)
    expect(openPermit(sealPermit(permit, [first, second]), role)).toEqual({ kind: 'opened', permit })
    const alone = sealPermit(permit, [first])
    expect(openPermit(alone, role)).toMatchObject({
      kind: 'refused',
      detail: 'the permit for r.example/os in fleet edge is signed by 1 approver keys, and 2 must sign',
    })
    expect(openPermit(countersign(documentOf(alone), [second]), role)).toMatchObject({ kind: 'opened' })
  })

  it('counts one key once, however often it signed', () => {
    const alone = documentOf(sealPermit(permit, [first]))
    const twice = JSON.stringify({ ...alone, signatures: [...alone.signatures, ...alone.signatures] })
    expect(openPermit(twice, roleOf(2, first, second)).kind).toBe('refused')
    expect(documentOf(countersign(alone, [first])).signatures).toHaveLength(1)
  })

  it('is not spoilt by a key that is no approver, and never carried by it', () => {
    const text = sealPermit(permit, [first, stranger])
    expect(openPermit(text, roleOf(1, first)).kind).toBe('opened')
    expect(openPermit(text, roleOf(1, second)).kind).toBe('refused')
  })

  it('is none when a byte of it was changed, or when another document was signed', () => {
    const signed = documentOf(sealPermit(permit, [first]))
    const payload = Buffer.from(JSON.stringify({ ...permit, lowestVersion: '0.1' })).toString('base64')
    expect(openPermit(JSON.stringify({ ...signed, payload }), roleOf(1, first)).kind).toBe('refused')
    const type = 'application/vnd.bootfleet.plan.v1+json'
    const other = signDocument(type, Buffer.from(signed.payload, 'base64'), [first])
    expect(openPermit(JSON.stringify(other), roleOf(1, first))).toMatchObject({
      kind: 'refused',
      detail: `a permit is unreadable: its payload type is ${type}`,
    })
    expect(preAuthenticationEncoding('a', Buffer.from('b')).toString()).toBe('DSSEv1 1 a 1 b')
  })
})

describe('what is no permit', () => {
  it.each([
    ['both a digest and a version', { digest: `sha256:${'a'.repeat(64)}` }, 'and not both'],
    ['neither', { lowestVersion: undefined }, 'and not both'],
    ['an end before its beginning', { expiresAt: permit.issuedAt }, 'expires before it was issued'],
    ['no host', { hosts: [] }, 'hosts'],
    ['a host that is no id', { hosts: ['*'] }, 'hosts'],
  ])('with %s is not signed', (_what, changes, said) => {
    expect(() => sealPermit({ ...permit, ...changes } as Permit, [first])).toThrow(said)
  })

  it('is not read: too large, no envelope, another payload, a key named twice', () => {
    const { signatures, payloadType } = documentOf(sealPermit(permit, [first]))
    const twice = Buffer.from('{"version":1,"version":1}').toString('base64')
    const hosts = Array.from({ length: 32 }, () => 'a'.repeat(26))
    const texts = ['x'.repeat(5000), '[]', JSON.stringify({ payloadType, payload: twice, signatures })]
    expect(texts.map((text) => readPermit(text).kind)).toEqual(['invalid', 'invalid', 'invalid'])
    expect(readPermit(`${' '.repeat(4096)}${sealPermit(permit, [first])}`)).toEqual({
      kind: 'invalid',
      detail: 'it has more than 4096 characters',
    })
    const keys = Array.from({ length: 16 }, () => newKey('p256'))
    expect(() => sealPermit({ ...permit, hosts }, keys)).toThrow('the limit is 4096')
  })
})
