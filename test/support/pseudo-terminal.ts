import { spawn } from 'node:child_process'
import { Terminal } from '@xterm/headless'
import { onTestFinished } from 'vitest'

const size = { cols: 80, rows: 24 }

/** A program on a terminal of the kernel's, and what a person who sits there sees. */
export type Seat = {
  readonly screen: () => string
  readonly type: (keys: string) => void
  /** It has taken the whole terminal. */
  readonly isOwnScreen: () => boolean
  /** Exit status; null while it runs. */
  readonly ended: () => number | null
}

/** `command` is one for sh. */
export function sitDownAt(command: string, environment: Readonly<Record<string, string>> = {}): Seat {
  const sized = `stty rows ${size.rows} cols ${size.cols}; ${command}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', sized, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm-256color', SHELL: '/bin/sh', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const terminal = new Terminal({ ...size, allowProposedApi: true })
  child.stdout.on('data', (bytes: Uint8Array) => terminal.write(bytes))
  let status: number | null = null
  child.on('close', (code) => (status = code ?? -1))
  return {
    screen() {
      const { active } = terminal.buffer
      const rows = Array.from({ length: size.rows }, (_, row) => active.getLine(row)?.translateToString(true))
      return rows.join('\n')
    },
    type: (keys) => void child.stdin.write(keys),
    isOwnScreen: () => terminal.buffer.active.type === 'alternate',
    ended: () => status,
  }
}
