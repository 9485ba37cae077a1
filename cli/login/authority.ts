import type { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { authoritySha256Of } from '../../proto/join-token.ts'
import { CliError } from '../errors.ts'

/** What makes somebody believe that a controller is theirs. Nothing is believed because it answered first. */
export type Pin =
  | { readonly kind: 'file'; readonly path: string }
  /** SHA-256 over the CA's public key (SPKI DER), in hex. */
  | { readonly kind: 'fingerprint'; readonly sha256: string }

const CONNECT_TIMEOUT_MS = 20_000
const CHAIN_MAX = 8

/** PEM of the CA that is pinned. */
export async function pinnedAuthority(pin: Pin, server: string, signal: AbortSignal): Promise<string> {
  if (pin.kind === 'fingerprint') return authorityShown(server, pin.sha256, signal)
  return readFile(pin.path, 'utf8').catch((cause: unknown) => {
    throw new CliError('BadUsage', `reading the CA certificate: ${String(cause)}`, { cause })
  })
}

/** Of a CA's certificate: what --ca-fingerprint takes. */
export function fingerprintOfAuthority(certificate: X509Certificate): string {
  return authoritySha256Of(certificate).toString('hex')
}

/** The server shows its CA; until that is the pinned one, nothing is said to it. */
async function authorityShown(server: string, sha256: string, signal: AbortSignal): Promise<string> {
  const shown = await chainOf(server, signal)
  const authority = shown.find((certificate) => fingerprintOfAuthority(certificate) === sha256)
  if (authority !== undefined) return authority.toString()
  const found = shown.map((certificate) => fingerprintOfAuthority(certificate)).at(-1) ?? 'no certificate'
  const message = `logging in at ${server}: it shows ${found} and not the CA with that fingerprint; this may be another controller, or somebody in between`
  throw new CliError('ControllerRefused', message)
}

async function chainOf(server: string, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(server) ?? []
  const socket = connect({
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
    // Judged by whoever asked, by its CA; only certificates are read here.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.3',
  })
  // In all: a server that says a little now and then would keep a timeout of the socket from firing.
  const tooLate = (): void => void socket.destroy(new Error('it does not answer'))
  const timer = setTimeout(tooLate, CONNECT_TIMEOUT_MS)
  const stop = (): void => void socket.destroy(new Error('interrupted'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    return chainFrom(socket)
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    const message = `logging in at ${server}: ${found}; is --server where the controller listens for logins (join.listen)?`
    throw new CliError('ControllerUnreachable', message, { cause })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    socket.destroy()
  }
}

function chainFrom(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < CHAIN_MAX) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}
