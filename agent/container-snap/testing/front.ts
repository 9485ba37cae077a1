import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:http'
import { Transform } from 'node:stream'

/** Stands before a registry and lets big blobs come to a halt half-way, as a bad link would. */
export type Front = {
  address: string
  /** Set before use: HOST:PORT of the registry. */
  forwardTo: (registry: string) => void
  stall: () => void
  flow: () => void
  /** Ends every connection and refuses new ones. */
  close: () => Promise<void>
}

const stallBytes = 256 * 1024

export async function openFront(): Promise<Front> {
  let target = ''
  let stalling = false
  const server = createServer((asked, answer) => forward(asked, answer, target, () => stalling))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  return {
    address: `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`,
    forwardTo: (registry) => {
      target = registry
    },
    stall: () => {
      stalling = true
    },
    flow: () => {
      stalling = false
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function forward(
  asked: IncomingMessage,
  answer: ServerResponse,
  target: string,
  stalling: () => boolean,
): void {
  const [hostname, port] = target.split(':')
  const { method, headers, url: path } = asked
  const onward = request({ hostname, port, path, method, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers)
    response.pipe(halting(stalling)).pipe(answer)
  })
  onward.on('error', () => answer.destroy())
  asked.pipe(onward)
}

function halting(stalling: () => boolean): Transform {
  let passed = 0
  return new Transform({
    transform: (chunk: Buffer, _encoding, next) => {
      passed += chunk.length
      // Never calling `next` is the halt; the connection stays open.
      if (stalling() && passed > stallBytes) return
      next(null, chunk)
    },
  })
}
