import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { AgentError } from './errors.ts'

export type InstanceLock = { readonly release: () => Promise<void> }

/**
 * One agent per state directory. The lock is an abstract socket: the kernel drops it with the process, kill -9
 * included, and unlike a file it holds no file system that a reboot unmounts.
 * @throws AgentError AlreadyRunning.
 */
export async function lockInstance(stateDir: string): Promise<InstanceLock> {
  const name = createHash('sha256').update(resolve(stateDir)).digest('hex')
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((locked, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const found = error.code === 'EADDRINUSE' ? 'another agent runs with it; stop that one' : error.message
      failed(new AgentError('AlreadyRunning', `locking ${stateDir}: ${found}`, { cause: error }))
    })
    server.listen({ path: `\0bootfleet-agent-${name}` }, locked)
  })
  // Waiting for nobody must not keep a process alive.
  server.unref()
  return { release: () => new Promise<void>((released) => server.close(() => released())) }
}
