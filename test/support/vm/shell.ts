import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

export type Shell = {
  /** Run a command as root; rejects where it fails or the machine does not answer in time. */
  run(command: string, timeoutMs?: number): Promise<string>
}

const timeoutDefaultMs = 120_000
const askAgainMs = 5_000

/** systemd's debug shell on a serial port that QEMU shows as a socket; asked again while nobody is there. */
export function openShell(path: string): Shell {
  return {
    run: async (command, timeoutMs = timeoutDefaultMs) => {
      const deadlineMs = performance.now() + timeoutMs
      for (;;) {
        const answer = await ask(path, command, askAgainMs, deadlineMs)
        if (answer?.status === 0) return answer.output
        if (answer !== null)
          throw new Error(`${command} ended with ${answer.status} in the guest: ${answer.output}`)
        if (performance.now() > deadlineMs) throw new Error(`nobody answered in the guest: ${command}`)
        await sleep(500)
      }
    },
  }
}

type Answer = { readonly status: number; readonly output: string }

/** First looks whether a shell listens: a command that is sent twice would run twice. */
async function ask(
  path: string,
  command: string,
  waitMs: number,
  deadlineMs: number,
): Promise<Answer | null> {
  const socket = await open(path)
  if (socket === null) return null
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  const until = async (pattern: RegExp, endMs: number): Promise<RegExpExecArray | null> => {
    for (;;) {
      const match = pattern.exec(received)
      if (match !== null || performance.now() > endMs || socket.destroyed) return match
      await sleep(50)
    }
  }
  const mark = randomBytes(6).toString('hex')
  try {
    socket.write(`\necho ${mark}$((40+2))\n`)
    if ((await until(new RegExp(`${mark}42`), performance.now() + waitMs)) === null) return null
    const encoded = Buffer.from(command).toString('base64')
    const run = `eval "$(echo ${encoded} | base64 -d)"`
    socket.write(`o=$( (${run}) 2>&1 ); s=$?; echo ${mark}:$s:$(printf %s "$o" | base64 -w0):${mark}\n`)
    const match = await until(new RegExp(`${mark}:(\\d+):([A-Za-z0-9+/=]*):${mark}`), deadlineMs)
    if (match === null) return null
    return { status: Number(match[1]), output: Buffer.from(match[2] ?? '', 'base64').toString() }
  } finally {
    socket.destroy()
  }
}

async function open(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.removeAllListeners('error').on('error', () => socket.destroy())
      resolve(socket)
    })
    socket.once('error', () => resolve(null))
  })
}
