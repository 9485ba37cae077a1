import { openScreen } from '../../cli/dashboard/screen.ts'
import { line } from '../../cli/dashboard/line.ts'
import { plain } from '../../cli/render/style.ts'
import { processTty } from '../../cli/tty.ts'

/** A program that takes the terminal, shows something, and breaks at the first key. */
const tty = processTty()
const screen = openScreen(tty, plain)
tty.listen({
  input: (text) => {
    throw new Error(`broken by ${text}`)
  },
  resized: () => screen.draw([line(`now ${tty.size().width} × ${tty.size().height}`)]),
  gone: () => process.exit(3),
})
screen.draw([line(`ours, ${tty.size().width} × ${tty.size().height}`)])
