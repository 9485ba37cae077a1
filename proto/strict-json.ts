import { isUtf8 } from 'node:buffer'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c

/** JSON as UTF-8 with no object that names a key twice; undefined for anything else. */
export function parseStrictJson(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) return undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    return hasDuplicateKeys(text) ? undefined : value
  } catch {
    return undefined
  }
}

/**
 * JSON.parse keeps the last of two equal keys, other readers the first; what was verified must mean one thing.
 * `text` is valid JSON, so a string followed by a colon is a key. Without regular expressions, as every plan and
 * signature comes through here.
 */
function hasDuplicateKeys(text: string): boolean {
  const scopes: Set<string>[] = []
  let keyAt = -1
  let keyEnd = -1
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      keyAt = at
      keyEnd = endOfString(text, at)
      at = keyEnd
    } else if (code === COLON) {
      const scope = scopes.at(-1)
      const key = keyOf(text.slice(keyAt, keyEnd + 1))
      if (scope?.has(key) === true) return true
      scope?.add(key)
    } else if (code !== COMMA) track(scopes, text.charAt(at))
  }
  return false
}

function track(scopes: Set<string>[], character: string): void {
  if (character === '{' || character === '[') scopes.push(new Set())
  else if (character === '}' || character === ']') scopes.pop()
}

/** Two spellings of one key are that key. */
function keyOf(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
}

/** Where the string that begins at `start` ends: at the first quote that no backslash stands for. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
  }
}
