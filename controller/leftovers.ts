import type { Readable } from 'node:stream'

/** A program that leads a process group of its own. */
type Leader = { readonly pid?: number; readonly stdout: Readable; readonly stderr: Readable }

/** What the program itself said has long been read by then. */
const LET_GO_MS = 1_000

/**
 * For when the program has exited: what it left running holds its output open, and would be waited for without an
 * end. Its group ends with it; what left the group is let go.
 */
export function endLeftovers({ pid, stdout, stderr }: Leader): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // As after nearly every end, nobody is left.
  }
  const timer = setTimeout(() => {
    stdout.destroy()
    stderr.destroy()
  }, LET_GO_MS)
  timer.unref()
}
