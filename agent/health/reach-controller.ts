import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { identityOfCertificate } from '../../proto/identity.ts'
import { natsTls } from '../../proto/nats-tls.ts'
import type { NamedCheck } from './run-checks.ts'

/** Who may answer; one of them is enough. */
export type Peers = {
  /** host:port; it proves itself as to every call. */
  readonly controller: string
  readonly serverName: string
  /** Asked for every probe: they may have been renewed. */
  readonly credentials: () => {
    readonly keyPem: string
    readonly certificatePem: string
    readonly caPem: string
  }
  readonly natsUrl: string
  /** For example registry.example:5000/os/edge. */
  readonly repository: string
}

export type ReachOptions = {
  /** After this without any answer the network counts as lost. */
  readonly graceMs: number
}

const PROBE_TIMEOUT_MS = 10_000
const NATS_PORT = 4222

/** Passes for good once anyone answered. */
export function reachController(peers: Peers, { graceMs }: ReachOptions): NamedCheck {
  let beganAtMs: number | null = null
  let reached = false
  return {
    name: 'reachController',
    run: async (signal) => {
      beganAtMs ??= performance.now()
      const found = reached ? null : await probeAll(peers, signal)
      reached ||= found === null
      if (found === null) return { kind: 'passed' }
      return { kind: 'failed', detail: found, final: performance.now() - beganAtMs >= graceMs }
    },
  }
}

/** Null when one answered, otherwise what was found at each. */
async function probeAll(peers: Peers, signal: AbortSignal): Promise<string | null> {
  const stop = new AbortController()
  const limit = setTimeout(() => stop.abort(), PROBE_TIMEOUT_MS)
  const either = AbortSignal.any([signal, stop.signal])
  try {
    const probes = [probeController(peers, either), probeNats(peers, either), probeRegistry(peers, either)]
    await Promise.any(probes)
    return null
  } catch (error) {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    return errors.map((one) => (one instanceof Error ? one.message : String(one))).join('; ')
  } finally {
    clearTimeout(limit)
    stop.abort()
  }
}

function probeController(peers: Peers, signal: AbortSignal): Promise<void> {
  const { host, port } = split(peers.controller, 443)
  const { keyPem, certificatePem, caPem } = peers.credentials()
  const socket = connectTls({
    host,
    port,
    servername: peers.serverName,
    key: keyPem,
    cert: certificatePem,
    ca: caPem,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    checkServerIdentity: (_name, { raw }) =>
      identityOfCertificate(raw, Date.now())?.kind === 'controller'
        ? undefined
        : new Error('it is not the controller'),
  })
  return answered(`controller ${peers.controller}`, socket, 'secureConnect', signal)
}

/** It says nothing before TLS. */
function probeNats({ natsUrl, credentials }: Peers, signal: AbortSignal): Promise<void> {
  const { host, port } = split(natsUrl.replace(/^[a-z+]+:\/\//, '').replace(/^[^@/]*@/, ''), NATS_PORT)
  const socket = connectTls({ host, port, ...natsTls(credentials) })
  return answered(`NATS ${host}:${port}`, socket, 'secureConnect', signal)
}

function probeRegistry({ repository }: Peers, signal: AbortSignal): Promise<void> {
  const { host, port } = split(repository.split('/')[0] ?? '', 443)
  // No address may stand as a server's name.
  const servername = /^[\d.]+$|:/.test(host) ? '' : host
  return answered(`registry ${host}:${port}`, connectTls({ host, port, servername }), 'secureConnect', signal)
}

/** Resolves at the first `event` of the socket, which ends with it. */
function answered(who: string, socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const fail = (found: string): void => reject(new Error(`${who}: ${found}`))
    const stop = (): void => fail('no answer')
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    socket.once(event, () => resolve())
    socket.on('error', ({ message }) => fail(message))
    socket.once('close', () => {
      signal.removeEventListener('abort', stop)
      fail('closed the connection')
    })
  }).finally(() => socket.destroy())
}

/** `host:port`, `[v6]:port`, or without a port. */
function split(address: string, defaultPort: number): { readonly host: string; readonly port: number } {
  const found = /^(\[[^\]]+\]|[^:/]+)(?::(\d+))?/.exec(address)
  const host = (found?.[1] ?? address).replaceAll(/^\[|\]$/g, '')
  return { host, port: found?.[2] === undefined ? defaultPort : Number(found[2]) }
}
