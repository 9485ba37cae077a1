import { createAccount, createOperator, createUser, fromPublic } from '@nats-io/nkeys'
import { expect, it } from 'vitest'
import { nativeKey } from './nats-native-key.ts'

it('a native key signs as the library does, and the library accepts it', () => {
  for (const made of [createAccount(), createOperator(), createUser(), createAccount()]) {
    const key = nativeKey(Buffer.from(made.getSeed()).toString('utf8'))
    const text = Buffer.from(`for ${made.getPublicKey()}`)
    expect(key.getPublicKey()).toBe(made.getPublicKey())
    // Ed25519 is deterministic.
    expect(Buffer.from(key.sign(text))).toEqual(Buffer.from(made.sign(text)))
    expect(fromPublic(made.getPublicKey()).verify(text, key.sign(text))).toBe(true)
  }
})

it('what is no seed is no key', () => {
  expect(() => nativeKey('SAAA')).toThrow(/nkeys/)
  expect(() => nativeKey(createAccount().getPublicKey())).toThrow(/nkeys/)
})
