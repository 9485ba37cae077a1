import * as fc from 'fast-check'

/** One change to an input. Places are counted modulo what is there, so that each fits every input. */
export type Mutation =
  | { readonly kind: 'flip'; readonly at: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'splice'; readonly at: number; readonly seed: number; readonly from: number }
  | { readonly kind: 'duplicate-key'; readonly at: number; readonly value: string }
  | { readonly kind: 'json'; readonly path: readonly number[]; readonly edit: Edit }

/** What becomes of the value that a path through JSON leads to. */
export type Edit =
  | { readonly kind: 'replace'; readonly by: unknown }
  | { readonly kind: 'drop' }
  | { readonly kind: 'append'; readonly text: string }
  | { readonly kind: 'wrap' }
  | { readonly kind: 'key'; readonly name: string; readonly value: unknown }

/** What parsers are known to trip over. */
const words = [
  '"', '\\', '\\u0000', '\0', '\n', '\r\n', '{', '}', '[', ']', ',', ':', '#', '&a', '*a', '<<: *a', '!!js/function x',
  '-----BEGIN PUBLIC KEY-----\n', '-----END PUBLIC KEY-----', '__proto__', 'constructor', 'valid-before="', 'gpgsig ',
  '=', '==', '%', '%00', '\u202e', '\ufeff', '\ud800', '1e999', '-0', '9007199254740993', 'null', 'true', '\'',
  '[['.repeat(2_000), '{"a":'.repeat(2_000), 'a'.repeat(10_000), '"a" '.repeat(2_000), '- '.repeat(2_000), '='.repeat(5_000),
] // prettier-ignore

const values: readonly unknown[] = [
  null, true, 0, -1, 1, 1.5, 2 ** 53, 2 ** 63, 1e308, '', ' ', '\0', 'AA==', 'AB==', 'a'.repeat(5_000), 'sha256:', '__proto__',
  'image@sha256', '1970-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z', [], {}, [[]], [null], ['a', 'a'], { a: 1 },
] // prettier-ignore

const place = fc.nat({ max: 0x7fff_ffff })
const word = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 12, unit: 'binary' }))
const value = fc.oneof(fc.constantFrom(...values), fc.integer(), fc.string({ maxLength: 20 }))

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), by: value }),
  fc.record({ kind: fc.constant('drop' as const) }),
  fc.record({ kind: fc.constant('append' as const), text: word }),
  fc.record({ kind: fc.constant('wrap' as const) }),
  fc.record({ kind: fc.constant('key' as const), name: fc.constantFrom('__proto__', 'a', 'keyid'), value }),
)

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place }) },
  fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, text: word }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({
    kind: fc.constant('repeat' as const),
    at: place,
    length: fc.integer({ min: 1, max: 64 }),
    times: fc.constantFrom(1, 2, 100),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('splice' as const), at: place, seed: place, from: place }),
  fc.record({
    kind: fc.constant('duplicate-key' as const),
    at: place,
    value: fc.constantFrom('null', '""', '0', '[]', '{}'),
  }),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('json' as const),
      path: fc.array(place, { maxLength: 7 }),
      edit,
    }),
  },
)

/** Which seed, and what becomes of it. */
export const mutant = fc.record({
  seed: place,
  mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
})
export type Mutant = { readonly seed: number; readonly mutations: readonly Mutation[] }

export function applyMutant(seeds: readonly Buffer[], { seed, mutations }: Mutant): Buffer {
  let bytes = seeds[seed % seeds.length] ?? Buffer.alloc(0)
  for (const each of mutations) bytes = applied(bytes, each, seeds)
  return bytes
}

function applied(bytes: Buffer, mutation: Mutation, seeds: readonly Buffer[]): Buffer {
  if (mutation.kind === 'json') return inJson(bytes, mutation.path, mutation.edit)
  const at = bytes.length === 0 ? 0 : mutation.at % bytes.length
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (mutation.kind) {
    case 'flip':
      return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << (mutation.at % 8)))
    case 'set':
      return withByte(bytes, at, mutation.byte)
    case 'insert':
      return Buffer.concat([before, Buffer.from(mutation.text), after])
    case 'remove':
      return Buffer.concat([before, after.subarray(mutation.length)])
    case 'repeat': {
      const part = after.subarray(0, mutation.length)
      return Buffer.concat([before, ...Array<Buffer>(mutation.times).fill(part), after])
    }
    case 'cut':
      return before
    case 'splice': {
      const other = seeds[mutation.seed % seeds.length] ?? bytes
      return Buffer.concat([before, other.subarray(mutation.from % (other.length + 1))])
    }
    case 'duplicate-key':
      return withKeyTwice(bytes, mutation.at, mutation.value)
  }
}

function withByte(bytes: Buffer, at: number, byte: number): Buffer {
  const changed = Buffer.from(bytes)
  if (changed.length > 0) changed[at] = byte
  return changed
}

function withKeyTwice(bytes: Buffer, at: number, value: string): Buffer {
  const text = bytes.toString('utf8')
  const keys = [...text.matchAll(/"[^"\\]{1,64}":/g)]
  const found = keys[at % Math.max(1, keys.length)]
  if (found === undefined) return bytes
  return Buffer.from(`${text.slice(0, found.index)}${found[0]}${value},${text.slice(found.index)}`)
}

function inJson(bytes: Buffer, path: readonly number[], edit: Edit): Buffer {
  const read = jsonOf(bytes.toString('utf8'))
  if (read === undefined) return bytes
  return Buffer.from(JSON.stringify(edited(read, path, edit)) ?? '')
}

/** Through JSON, and through JSON that stands in it as text or as base64, as in an envelope. */
function edited(value: unknown, path: readonly number[], edit: Edit): unknown {
  const [step, ...rest] = path
  if (step === undefined) return changed(value, edit)
  if (Array.isArray(value)) {
    if (value.length === 0) return changed(value, edit)
    const index = step % value.length
    return value.flatMap((each, place) => {
      if (place !== index) return [each]
      const next = edited(each, rest, edit)
      return next === undefined ? [] : [next]
    })
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    const [name, inner] = entries[step % Math.max(1, entries.length)] ?? []
    if (name === undefined) return changed(value, edit)
    return Object.fromEntries(
      entries.map(([key, each]) => [key, key === name ? edited(inner, rest, edit) : each]),
    )
  }
  return typeof value === 'string' ? editedText(value, rest, edit) : changed(value, edit)
}

function editedText(text: string, path: readonly number[], edit: Edit): unknown {
  const plain = jsonOf(text)
  if (isContainer(plain)) return JSON.stringify(edited(plain, path, edit)) ?? ''
  const inner = jsonOf(Buffer.from(text, 'base64').toString('utf8'))
  if (!isContainer(inner)) return changed(text, edit)
  return Buffer.from(JSON.stringify(edited(inner, path, edit)) ?? '').toString('base64')
}

function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function changed(value: unknown, edit: Edit): unknown {
  switch (edit.kind) {
    case 'replace':
      return edit.by
    case 'drop':
      return undefined
    case 'append':
      return typeof value === 'string' ? `${value}${edit.text}` : edit.text
    case 'wrap':
      return [value]
    case 'key': {
      const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
      return Object.fromEntries([...fields, [edit.name, edit.value]])
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
