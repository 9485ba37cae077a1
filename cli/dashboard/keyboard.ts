import { decodeKeys, decodeRest } from './keys.ts'
import type { Key } from './keys.ts'

/** A sequence comes in one piece, or at least at once; what is alone for so long is the Esc key. */
const ESCAPE_ALONE_MS = 50

export type Keyboard = { readonly input: (text: string) => void; readonly stop: () => void }

export function openKeyboard(pressed: (key: Key) => void): Keyboard {
  let rest = ''
  let timer: NodeJS.Timeout | null = null
  const stop = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
  }
  return {
    input(text) {
      stop()
      const decoded = decodeKeys(rest + text)
      rest = decoded.rest
      decoded.keys.forEach(pressed)
      // A paste may take its time.
      if (decodeRest(rest).length === 0) return
      timer = setTimeout(() => {
        const keys = decodeRest(rest)
        rest = ''
        keys.forEach(pressed)
      }, ESCAPE_ALONE_MS)
    },
    stop,
  }
}
