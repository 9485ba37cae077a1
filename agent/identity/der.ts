/** The few DER forms that a certificate request needs (ITU-T X.690). */
const TAGS = {
  integer: 0x02,
  bitString: 0x03,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return encode(TAGS.sequence, Buffer.concat(parts))
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return encode(TAGS.set, Buffer.concat(parts))
}

/** `value`: 0 to 127, which is one byte that cannot look negative. */
export function smallInteger(value: number): Buffer {
  return encode(TAGS.integer, Buffer.from([value]))
}

export function utf8String(text: string): Buffer {
  return encode(TAGS.utf8String, Buffer.from(text, 'utf8'))
}

/** A string of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return encode(TAGS.bitString, Buffer.concat([Buffer.from([0]), bytes]))
}

/** `dotted`: for example 1.2.840.10045.4.3.2. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return encode(TAGS.objectIdentifier, Buffer.from([first * 40 + second, ...rest.flatMap(toBase128)]))
}

/** Context-specific, constructed and empty: `[0]` with nothing in it. */
export function emptyContext(): Buffer {
  return encode(0xa0, Buffer.alloc(0))
}

function toBase128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80)
  return digits
}

function encode(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff)
  return [0x80 | bytes.length, ...bytes]
}
