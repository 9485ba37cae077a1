import type { Tone } from '../../proto/picture/words.ts'

/** Paints text, or leaves it alone; a state is always told by glyph and word too. */
export type Style = (tone: Tone, text: string) => string

const codes: Readonly<Record<Tone, number>> = { good: 32, busy: 36, bad: 31, quiet: 2, strong: 1 }

export const plain: Style = (_tone, text) => text
const painted: Style = (tone, text) => `\u001b[${codes[tone]}m${text}\u001b[0m`

export function styleFor(colour: boolean): Style {
  return colour ? painted : plain
}
