import { createPrivateKey, sign } from 'node:crypto'
import { fromSeed } from '@nats-io/nkeys'
import type { KeyPair } from '@nats-io/nkeys'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** Before the key stand two bytes that say what it is for, behind it two of a checksum. */
const SEED_PREFIX_BYTES = 2
const SEED_BYTES = 32
/** PKCS#8 of an Ed25519 key up to its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * A key that signs with Node's own Ed25519. That of the library is written in JavaScript and takes some hundred
 * times as long, which a controller that makes users for a whole fleet would feel.
 * @throws Error when the seed is none.
 */
export function nativeKey(seed: string): KeyPair {
  const key = fromSeed(Buffer.from(seed, 'utf8'))
  const [publicKey, secret] = [key.getPublicKey(), key.getPrivateKey()]
  const raw = base32Bytes(seed).subarray(SEED_PREFIX_BYTES, SEED_PREFIX_BYTES + SEED_BYTES)
  const der = Buffer.concat([PKCS8_PREFIX, raw])
  const native = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    getPublicKey: () => publicKey,
    getPrivateKey: () => secret,
    getSeed: () => key.getSeed(),
    sign: (input) => sign(null, input, native),
    verify: (input, signature) => key.verify(input, signature),
    clear: () => key.clear(),
    seal: (...of) => key.seal(...of),
    open: (...of) => key.open(...of),
  }
}

/** Without what is left over at the end. */
function base32Bytes(text: string): Buffer {
  const bytes: number[] = []
  let bits = 0
  let value = 0
  for (const character of text) {
    value = ((value << 5) | BASE32.indexOf(character)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((value >> bits) & 0xff)
  }
  return Buffer.from(bytes)
}
