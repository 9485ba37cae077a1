import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isSignedBy } from './release-key.ts'

const message = Buffer.from('what is released')

/** Of what public test vectors for signatures try, what can be made from a good signature. */
describe('an Ed25519 signature', () => {
  const { privateKey, publicKey: key } = generateKeyPairSync('ed25519')
  const good = sign(null, message, privateKey)
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const scalar = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString('hex')}`)
  const withScalar = (value: bigint) =>
    Buffer.concat([good.subarray(0, 32), Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()])

  it('counts as it is', () => {
    expect(isSignedBy({ name: 'k', key }, message, good)).toBe(true)
    expect(isSignedBy({ name: 'k', key }, message, withScalar(scalar))).toBe(true)
  })

  it.each<[string, Uint8Array]>([
    ['with its scalar beyond the order of the group, which means the same', withScalar(scalar + order)],
    ['with its scalar beyond it by more', withScalar(scalar + 7n * order)],
    ['with a scalar of nothing', withScalar(0n)],
    ['with the scalar turned round', withScalar(order - scalar)],
    ['that is cut short', good.subarray(0, 63)],
    ['with a byte too many', Buffer.concat([good, Buffer.alloc(1)])],
    ['of zeros', Buffer.alloc(64)],
    ['of ones', Buffer.alloc(64, 0xff)],
    ['without a byte', Buffer.alloc(0)],
    ['with its halves exchanged', Buffer.concat([good.subarray(32), good.subarray(0, 32)])],
  ])('does not count %s', (_how, signature) => {
    expect(isSignedBy({ name: 'k', key }, message, signature)).toBe(false)
  })
})

describe('an ECDSA P-256 signature', () => {
  const { privateKey, publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const plain = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const [r, s] = [plain.subarray(0, 32), plain.subarray(32)].map((half) =>
    BigInt(`0x${half.toString('hex')}`),
  ) as [bigint, bigint]
  const bytesOf = (value: bigint): Buffer => {
    const hex = value.toString(16)
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes
  }
  const integer = (bytes: Uint8Array) => Buffer.concat([Buffer.from([0x02, bytes.length]), bytes])
  const sequence = (...parts: Uint8Array[]) => {
    const content = Buffer.concat(parts)
    return Buffer.concat([Buffer.from([0x30, content.length]), content])
  }
  const der = (left: bigint, right: bigint) => sequence(integer(bytesOf(left)), integer(bytesOf(right)))
  const good = der(r, s)
  const padded = (value: bigint) => integer(Buffer.concat([Buffer.alloc(1), bytesOf(value)]))

  it('counts as it is', () => {
    expect(isSignedBy({ name: 'k', key }, message, good)).toBe(true)
  })

  it.each<[string, Uint8Array]>([
    ['in the form without DER', plain],
    ['with a length in the long form', Buffer.concat([Buffer.from([0x30, 0x81]), good.subarray(1)])],
    [
      'with a length that has no end',
      Buffer.concat([Buffer.from([0x30, 0x80]), good.subarray(2), Buffer.alloc(2)]),
    ],
    ['with a zero before a number', sequence(padded(r), integer(bytesOf(s)))],
    ['with a zero before the second number', sequence(integer(bytesOf(r)), padded(s))],
    ['with something after it', Buffer.concat([good, Buffer.from([0x05, 0x00])])],
    [
      'with something after its numbers',
      sequence(integer(bytesOf(r)), integer(bytesOf(s)), Buffer.from([0x05, 0x00])),
    ],
    ['with one number', sequence(integer(bytesOf(r)))],
    ['that is cut short', good.subarray(0, -1)],
    ['with r of nothing', der(0n, s)],
    ['with s of nothing', der(r, 0n)],
    ['with both of nothing', der(0n, 0n)],
    ['with r beyond the order', der(r + order, s)],
    ['with s beyond the order, which means the same', der(r, s + order)],
    ['with r the order', der(order, s)],
    ['with the numbers exchanged', der(s, r)],
    ['of another hash', sign('sha384', message, privateKey)],
    ['without a byte', Buffer.alloc(0)],
  ])('does not count %s', (_how, signature) => {
    expect(isSignedBy({ name: 'k', key }, message, signature)).toBe(false)
  })
})
