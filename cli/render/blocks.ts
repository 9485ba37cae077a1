import type { Terminal } from '../terminal.ts'

/** A watched text, one block per change. */
export type Blocks = {
  readonly show: (text: string) => void
  readonly warn: (text: string) => void
}

export function openBlocks({ out, note }: Pick<Terminal, 'out' | 'note'>): Blocks {
  let shown: string | null = null
  return {
    show: (text) => {
      if (text === shown) return
      out(shown === null ? text : `\n${text}`)
      shown = text
    },
    warn: (text) => note(`${text}\n`),
  }
}
