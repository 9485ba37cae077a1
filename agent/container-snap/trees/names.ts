/**
 * Names on Linux are bytes, not text. Below a tree's root they are kept as strings with one character a byte
 * (latin1), so that nothing is lost, every name differs from every other and sorting is by byte.
 */
export function bytesOf(root: string, path: string): Buffer {
  const start = Buffer.from(root)
  return path === '' ? start : Buffer.concat([start, slash, Buffer.from(path, 'latin1')])
}

const slash = Buffer.from('/')

/** A name written in our own source or in a text file, in the form above. */
export function pathOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export function child(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`
}

/** From the topmost folder down to the one that holds it. */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = []
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) ancestors.unshift(parent)
  return ancestors
}

const unsafe = /[\p{C}\p{Zl}\p{Zp}\\]/u

/** Fit for a terminal and a report: one line, no control characters, and still told apart from any other name. */
export function shownName(path: string): string {
  const bytes = Buffer.from(path, 'latin1')
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(bytes)
  return Array.from(isText ? text : path, (character) =>
    unsafe.test(character) || (!isText && character > '~') ? escaped(character) : character,
  ).join('')
}

function escaped(character: string): string {
  if (character === '\\') return '\\\\'
  if (character === '\n') return '\\n'
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
