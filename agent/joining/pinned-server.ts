import { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { authoritySha256Of } from '../../proto/join-token.ts'
import { AgentError } from '../errors.ts'

const HANDSHAKE_TIMEOUT_MS = 15_000
const CHAIN_MAX = 8

/**
 * PEM of the CA that the token names, as the server shows it with its own certificate; nothing is sent. Whether the
 * server holds the key of that certificate is seen by the connection that then believes this CA alone.
 * @throws AgentError EnrolRefused when the server shows another CA, ControllerAway when it cannot be reached.
 */
export async function findAuthority(
  address: string,
  authoritySha256: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const chain = await shownBy(address, signal)
  const [leaf] = chain
  const authority = chain.find(
    (one) => one.ca && Buffer.compare(authoritySha256Of(one), authoritySha256) === 0,
  )
  if (leaf !== undefined && authority !== undefined && leaf.verify(authority.publicKey)) {
    return authority.toString()
  }
  throw new AgentError(
    'EnrolRefused',
    `enrolling at ${address}: its certificate does not end in the CA that the token names, so this is another server; nothing was sent. Check the address, and ask for a new token if it is right`,
  )
}

/** What the server shows, its own certificate first; believed by nobody yet. @throws AgentError ControllerAway. */
export async function shownBy(address: string, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  const port = Number(address.slice(colon + 1))
  // Judged by the caller, against the one CA that counts.
  const options = { host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' as const }
  const socket = connect({ ...options, servername: 'bootfleet-controller', ALPNProtocols: ['h2'] })
  const stop = (): void => void socket.destroy(new Error('stopped'))
  signal.addEventListener('abort', stop, { once: true })
  // In all: a server that says a little now and then would keep a timeout of the socket from firing.
  const tooLate = (): void => void socket.destroy(new Error('it does not answer'))
  const timer = setTimeout(tooLate, HANDSHAKE_TIMEOUT_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      if (signal.aborted) stop()
    })
    return certificatesOf(socket)
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new AgentError('ControllerAway', `connecting to ${address}: ${found}`, { cause })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

function certificatesOf(socket: TLSSocket): readonly X509Certificate[] {
  const found: X509Certificate[] = []
  let shown: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (shown?.raw !== undefined && found.length < CHAIN_MAX) {
    found.push(new X509Certificate(shown.raw))
    const issuer: DetailedPeerCertificate | undefined = shown.issuerCertificate
    // One that signed itself is its own issuer.
    shown = issuer === shown || issuer?.fingerprint256 === shown.fingerprint256 ? undefined : issuer
  }
  return found
}
