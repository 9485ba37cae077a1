/** What a person did. Pasted text is told apart, so that it can be typed into a question but never gives orders. */
export type Key =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'pasted'; readonly text: string }
  | { readonly kind: KeyName }

export type KeyName =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'eraseAll'
  | 'redraw'
  | 'interrupt'

const ESCAPE = '\u001b'
const PASTE_BEGIN = `${ESCAPE}[200~`
const PASTE_END = `${ESCAPE}[201~`
/** Nobody writes a longer reason, and an unfinished paste must not be collected for ever. */
const PASTE_MAX = 10_000

const controls: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'interrupt',
  '\u0004': 'interrupt',
  '\u000c': 'redraw',
  '\u0015': 'eraseAll',
}

const sequences: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '4~': 'end',
  '5~': 'pageUp',
  '6~': 'pageDown',
  '7~': 'home',
  '8~': 'end',
}

/**
 * Keys in what a terminal sent. `rest` may be the beginning of a sequence: it goes before what comes next, or, when
 * nothing comes, to `decodeRest`.
 */
export function decodeKeys(sent: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = []
  let at = 0
  while (at < sent.length) {
    const taken = takeOne(sent.slice(at))
    if (taken === null) break
    if (taken.key !== null) keys.push(taken.key)
    at += taken.length
  }
  return { keys, rest: sent.slice(at) }
}

/** A lone Esc is a key after all. */
export function decodeRest(rest: string): readonly Key[] {
  return rest === '' || rest.startsWith(PASTE_BEGIN) ? [] : [{ kind: 'escape' }]
}

type Taken = { readonly key: Key | null; readonly length: number }

/** Null: more must come before it can be told. */
function takeOne(sent: string): Taken | null {
  if (sent.startsWith(PASTE_BEGIN)) return takePaste(sent)
  if (sent.startsWith(ESCAPE)) return takeSequence(sent)
  const [first = ''] = sent
  const control = controls[first]
  if (control !== undefined) return { key: { kind: control }, length: first.length }
  const isText = !/\p{Cc}/u.test(first)
  return { key: isText ? { kind: 'text', text: first } : null, length: first.length }
}

function takePaste(sent: string): Taken | null {
  const end = sent.indexOf(PASTE_END)
  if (end === -1) return sent.length > PASTE_MAX ? { key: null, length: sent.length } : null
  const text = sent.slice(PASTE_BEGIN.length, end)
  return { key: { kind: 'pasted', text }, length: end + PASTE_END.length }
}

function takeSequence(sent: string): Taken | null {
  const introducer = sent[1]
  if (introducer === undefined) return null
  // Alt with a key, or Esc and then a key at once: neither means anything but Esc here.
  if (introducer !== '[' && introducer !== 'O') return { key: { kind: 'escape' }, length: 1 }
  // oxlint-disable-next-line no-control-regex
  const match = /^\u001b[[O]([0-9;?<]*)([@-~])/.exec(sent)
  if (match === null) return /^.[[O][0-9;?<]{0,32}$/su.test(sent) ? null : { key: null, length: 2 }
  const [whole, parameters = '', final = ''] = match
  const name = sequences[final === '~' ? `${parameters.split(';')[0] ?? ''}~` : final]
  return { key: name === undefined ? null : { kind: name }, length: whole.length }
}
