import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { identityOfCertificate } from '../../proto/identity.ts'
import type { Context } from '../context.ts'

/** The controller's page, as the operator of a context sees it. */
export type Upstream = {
  readonly address: string
  /**
   * Answers with the head of the controller's answer. `signal` ends what is under way, the body too.
   * @throws Error with a sentence for whoever looks at the page.
   */
  readonly get: (path: string, signal: AbortSignal) => Promise<IncomingMessage>
  close(): void
}

const CONNECTIONS_MAX = 16
const CONNECT_TIMEOUT_MS = 10_000
/** The controller sends something every five seconds. */
const SILENT_MS = 30_000

/** Certificate and key are read anew for each request, so that `bootfleet login` helps a page that is open. */
export function openUpstream(context: Context, { host, port }: { host: string; port: number }): Upstream {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: SILENT_MS })
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return {
    address,
    async get(path, signal) {
      const [ca, cert, key] = await Promise.all([
        readFile(context.ca),
        readFile(context.certificate),
        readFile(context.key),
      ])
      const asking = request({
        agent,
        host,
        port,
        path,
        ca,
        cert,
        key,
        signal,
        minVersion: 'TLSv1.3',
        // Who the peer is stands in its certificate as a SPIFFE name; host names prove nothing here.
        servername: 'bootfleet-controller',
        checkServerIdentity: (_host, peer) =>
          identityOfCertificate(peer.raw, Date.now())?.kind === 'controller'
            ? undefined
            : new Error('the certificate is not a controller’s'),
      })
      return headOf(asking, address)
    },
    close: () => agent.destroy(),
  }
}

function headOf(asking: ClientRequest, address: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => asking.destroy(new Error('no answer in 10 s')), CONNECT_TIMEOUT_MS)
    // Also what goes wrong after the answer began: nobody else listens for it here.
    asking.on('error', (cause) => {
      clearTimeout(late)
      reject(
        new Error(`the controller’s web page at ${address} does not answer (${cause.message})`, { cause }),
      )
    })
    asking.once('response', (answer) => {
      clearTimeout(late)
      answer.setTimeout(SILENT_MS, () => answer.destroy())
      resolve(answer)
    })
    asking.end()
  })
}
