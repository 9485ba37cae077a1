import type { Style } from '../render/style.ts'
import type { Tty } from '../terminal.ts'
import { drawLines } from './draw.ts'
import type { Line } from './line.ts'

/** A screen of our own: what was there before comes back, also after a crash. */
export type Screen = {
  readonly draw: (lines: readonly Line[]) => void
  /** Whatever stands there, the next drawing writes every line. */
  readonly forget: () => void
  readonly close: () => void
}

// No wrapping: should a terminal find a character wider than we do, the line ends early and the next one is right.
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[?2004h'
const leave = '\u001b[?2004l\u001b[?7h\u001b[?25h\u001b[?1049l'

export function openScreen(tty: Tty, style: Style): Screen {
  let shown: readonly string[] | null = null
  let isOpen = true
  const restore = (): void => {
    if (isOpen) tty.write(leave)
    isOpen = false
  }
  const stopGuarding = tty.beforeEnd(restore)
  tty.write(enter)
  return {
    draw(lines) {
      if (!isOpen) return
      const drawing = drawLines(lines, shown, style)
      shown = drawing.shown
      if (drawing.bytes !== '') tty.write(drawing.bytes)
    },
    forget() {
      shown = null
      // Also when another program had the terminal while this one was stopped.
      if (isOpen) tty.write(enter)
    },
    close() {
      stopGuarding()
      restore()
    },
  }
}
