import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { credentials, status as code } from '@grpc/grpc-js'
import type {
  CallOptions,
  ChannelCredentials,
  Client,
  ClientOptions,
  ClientReadableStream,
  ServiceError,
} from '@grpc/grpc-js'
import { OperatorService, WatchStatusRequestSchema } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status, WatchStatusResponse } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../proto/grpc.ts'
import type { ServiceClient } from '../proto/grpc.ts'
import { identityOfCertificate } from '../proto/identity.ts'
import type { Context } from './context.ts'
import { CliError } from './errors.ts'

const callTimeoutMs = 20_000
/** Who waits longer without an answer is told that it is waited for. */
const slowAfterMs = 3_000
/** A watch is opened anew after this long, so that no stream is without a deadline. */
const watchTimeoutMs = 10 * 60_000
const maxMessageBytes = 64 * 1024 * 1024

export type OperatorClient = {
  readonly service: ServiceClient<typeof OperatorService>
  readonly address: string
  /** Where it is said that an answer takes long; null: nobody reads it. */
  readonly note: ((text: string) => void) | null
}

type Method<Request, Response> = (
  request: Request,
  options: CallOptions,
  done: (error: ServiceError | null, response?: Response) => void,
) => unknown

/** Sent while a watch has no connection, so that a caller can say so. */
type Lost = { readonly kind: 'lost'; readonly why: string }
export type Watched = { readonly kind: 'status'; readonly status: Status } | Lost

export async function openClient(context: Context): Promise<OperatorClient> {
  const [ca, certificate, key] = await Promise.all([
    readIdentity(context.ca),
    readIdentity(context.certificate),
    readIdentity(context.key),
  ])
  requireInForce(certificate, context)
  const channel = channelTo(ca, { key, certificate })
  return {
    service: createClient(OperatorService, { address: context.address, ...channel }),
    address: context.address,
    note: null,
  }
}

/** TLS to a controller. `onPeer` is given the certificate that it shows, DER. */
export function channelTo(
  ca: Buffer,
  identity: { readonly key: Buffer; readonly certificate: Buffer } | null,
  onPeer: (der: Uint8Array) => void = () => undefined,
): { readonly credentials: ChannelCredentials; readonly options: ClientOptions } {
  const checkServerIdentity = (_host: string, peer: { readonly raw: Buffer }): Error | undefined => {
    onPeer(peer.raw)
    // Who the peer is stands in its certificate as a SPIFFE name; host names prove nothing here.
    if (identityOfCertificate(peer.raw, Date.now())?.kind === 'controller') return undefined
    return new Error('the certificate is not a controller’s')
  }
  return {
    credentials: credentials.createSsl(ca, identity?.key ?? null, identity?.certificate ?? null, {
      checkServerIdentity,
    }),
    options: {
      // An address is no server name (RFC 6066), so a fixed one is sent; the check above never looks at it.
      'grpc.ssl_target_name_override': 'bootfleet-controller',
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.keepalive_time_ms': 20_000,
      'grpc.max_receive_message_length': maxMessageBytes,
    },
  }
}

/** Said here: the controller ends the handshake with an expired certificate without a word that could be shown. */
function requireInForce(pem: Buffer, { certificate: path, login }: Context): void {
  const expired = expiryOf(pem)
  if (expired === null || expired.getTime() > Date.now()) return
  const todo =
    login === undefined
      ? 'have an admin issue another, with "bootfleet operator issue"'
      : 'run "bootfleet login"'
  const message = `the certificate ${path} expired at ${expired.toISOString()}; ${todo}`
  throw new CliError('LoginNeeded', message)
}

/** Null for what is no certificate, which TLS says better. */
function expiryOf(pem: Buffer): Date | null {
  try {
    return new Date(new X509Certificate(pem).validTo)
  } catch {
    return null
  }
}

export function closeClient({ service }: OperatorClient): void {
  service.close()
}

/** One unary call with a deadline; refusals and outages become a CliError that says what to do. */
export function call<Request, Response>(
  client: Pick<OperatorClient, 'address' | 'note'> & { readonly service: Client },
  method: Method<Request, Response>,
  request: Request,
  timeoutMs = callTimeoutMs,
): Promise<Response> {
  const slow = setTimeout(
    () => client.note?.(`◎ waiting for an answer of the controller at ${client.address}\n`),
    slowAfterMs,
  )
  return new Promise((fulfil, reject) => {
    method.call(client.service, request, { deadline: Date.now() + timeoutMs }, (error, response) => {
      clearTimeout(slow)
      if (error !== null) reject(fromGrpc(error, client.address))
      else if (response === undefined)
        reject(new CliError('ControllerRefused', 'the controller answered nothing'))
      else fulfil(response)
    })
  })
}

/** Every status until `signal` aborts (then it ends), over as many connections as that takes. */
export async function* watchStatus(client: OperatorClient, signal: AbortSignal): AsyncGenerator<Watched> {
  const open = (options: CallOptions): ClientReadableStream<WatchStatusResponse> =>
    client.service.watchStatus(create(WatchStatusRequestSchema), options)
  for await (const seen of watched(client, open, signal)) {
    if (seen.kind === 'lost') yield seen
    else if (seen.message.status !== undefined) yield { kind: 'status', status: seen.message.status }
  }
}

/** What a stream of the service says, until `signal` aborts; `open` is called anew for every connection. */
export async function* watched<Message>(
  client: OperatorClient,
  open: (options: CallOptions) => ClientReadableStream<Message>,
  signal: AbortSignal,
): AsyncGenerator<{ readonly kind: 'message'; readonly message: Message } | Lost> {
  let pauseMs = 200
  while (!signal.aborted) {
    try {
      for await (const message of streamed(open({ deadline: Date.now() + watchTimeoutMs }), signal)) {
        pauseMs = 200
        yield { kind: 'message', message }
      }
    } catch (error) {
      if (signal.aborted) return
      const failure = fromGrpc(error as ServiceError, client.address)
      if (failure.code !== 'ControllerUnreachable') throw failure
      if ((error as ServiceError).code !== code.DEADLINE_EXCEEDED)
        yield { kind: 'lost', why: failure.message }
    }
    // Not all who lost the same controller come back at the same moment.
    await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, 2_000)
  }
}

export async function* streamed<Message>(
  stream: ClientReadableStream<Message>,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const cancel = (): void => stream.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    yield* stream as AsyncIterable<Message>
  } finally {
    signal.removeEventListener('abort', cancel)
    stream.cancel()
  }
}

/** Codes of a peer that is away or half started; a restart of it heals them. */
const awayCodes: ReadonlySet<number> = new Set([
  code.UNAVAILABLE,
  code.DEADLINE_EXCEEDED,
  code.CANCELLED,
  code.INTERNAL,
  code.UNKNOWN,
])

/** Why a stream of the service ended. */
export function refusalOf(error: ServiceError, { address }: OperatorClient): CliError {
  return fromGrpc(error, address)
}

function fromGrpc(error: ServiceError, address: string): CliError {
  if (awayCodes.has(error.code)) {
    const what = `the controller at ${address} does not answer (${cleaned(error.details)})`
    const todo = 'is it running, and is this its context?'
    return new CliError('ControllerUnreachable', `${what}; ${todo}`, { cause: error })
  }
  if (error.code === code.UNIMPLEMENTED) {
    const what = `the controller at ${address} is older than this command and does not know it`
    return new CliError('ControllerRefused', `${what}; upgrade the controller`, { cause: error })
  }
  if (error.code === code.NOT_FOUND) return new CliError('NotFound', error.details, { cause: error })
  return new CliError('ControllerRefused', `the controller refused: ${error.details}`, { cause: error })
}

/** The library leaves a heading behind where it has no note. */
function cleaned(details: string): string {
  return details.replace(/\s*Resolution note:\s*$/, '')
}

async function readIdentity(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new CliError('ContextInvalid', `read ${path}, which the context names: ${String(cause)}`, { cause })
  }
}
