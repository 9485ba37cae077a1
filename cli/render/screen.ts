import type { Terminal } from '../terminal.ts'

/** Where a watched text goes: redrawn in place on a terminal, one block per change anywhere else. */
export type Screen = {
  readonly show: (text: string) => void
  readonly warn: (text: string) => void
  readonly close: () => void
}

const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
const home = '\u001b[H'
const clearScreen = '\u001b[2J'
const clearToLineEnd = '\u001b[K'
const clearToScreenEnd = '\u001b[J'

export function openScreen(terminal: Pick<Terminal, 'out' | 'note' | 'interactive' | 'environment'>): Screen {
  return terminal.interactive && terminal.environment['TERM'] !== 'dumb'
    ? openRedrawn(terminal)
    : openLines(terminal)
}

function openRedrawn({ out }: Pick<Terminal, 'out'>): Screen {
  let shown = ''
  const draw = (text: string): void => {
    // Each line is overwritten and only its rest cleared: clearing the screen first would flicker.
    out(`${home}${text.replaceAll('\n', `${clearToLineEnd}\n`)}${clearToScreenEnd}`)
  }
  out(`${hideCursor}${clearScreen}`)
  return {
    show: (text) => {
      shown = text
      draw(text)
    },
    warn: (text) => draw(`${shown}\n${text}\n`),
    close: () => out(showCursor),
  }
}

function openLines({ out, note }: Pick<Terminal, 'out' | 'note'>): Screen {
  let shown: string | null = null
  return {
    show: (text) => {
      if (text === shown) return
      out(shown === null ? text : `\n${text}`)
      shown = text
    },
    warn: (text) => note(`${text}\n`),
    close: () => undefined,
  }
}
