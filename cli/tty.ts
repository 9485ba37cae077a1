import process from 'node:process'
import type { Tty } from './terminal.ts'

/** The terminal of this process: both its streams must be one. */
export function processTty(): Tty {
  const { stdin, stdout } = process
  return {
    // A terminal that does not know its size says 0.
    size: () => ({ width: stdout.columns || 80, height: stdout.rows || 24 }),
    write: (text) => void stdout.write(text),
    isBehind: () => stdout.writableNeedDrain,
    listen({ input, resized, gone }) {
      const continued = (): void => {
        stdin.setRawMode(true)
        resized()
      }
      stdin.setRawMode(true)
      // Halves of a character are kept until the other half comes.
      stdin.setEncoding('utf8')
      stdin.on('data', input)
      stdin.on('end', gone)
      stdin.on('error', gone)
      stdout.on('resize', resized)
      process.on('SIGCONT', continued)
      stdin.resume()
      return () => {
        stdin.off('data', input)
        stdin.off('end', gone)
        stdin.off('error', gone)
        stdout.off('resize', resized)
        process.off('SIGCONT', continued)
        stdin.setRawMode(false)
        stdin.pause()
      }
    },
    beforeEnd(restore) {
      // The monitor is told before the error is printed, which would else go to a screen that is about to vanish.
      process.on('uncaughtExceptionMonitor', restore)
      process.on('exit', restore)
      return () => {
        process.off('uncaughtExceptionMonitor', restore)
        process.off('exit', restore)
      }
    },
  }
}
