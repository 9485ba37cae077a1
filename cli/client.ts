import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { credentials, status as code } from '@grpc/grpc-js'
import type { CallOptions, ServiceError } from '@grpc/grpc-js'
import { OperatorService, WatchStatusRequestSchema } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status, WatchStatusResponse } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../proto/grpc.ts'
import type { ServiceClient } from '../proto/grpc.ts'
import { identityOfCertificate } from '../proto/identity.ts'
import type { Context } from './context.ts'
import { CliError } from './errors.ts'

const callTimeoutMs = 20_000
/** A watch is opened anew after this long, so that no stream is without a deadline. */
const watchTimeoutMs = 10 * 60_000
const maxMessageBytes = 64 * 1024 * 1024

export type OperatorClient = {
  readonly service: ServiceClient<typeof OperatorService>
  readonly address: string
}

type Method<Request, Response> = (
  request: Request,
  options: CallOptions,
  done: (error: ServiceError | null, response?: Response) => void,
) => unknown

/** Sent while a watch has no connection, so that a caller can say so. */
export type Watched =
  { readonly kind: 'status'; readonly status: Status } | { readonly kind: 'lost'; readonly why: string }

export async function openClient(context: Context): Promise<OperatorClient> {
  const [ca, certificate, key] = await Promise.all([
    readIdentity(context.ca),
    readIdentity(context.certificate),
    readIdentity(context.key),
  ])
  const service = createClient(OperatorService, {
    address: context.address,
    // Who the peer is stands in its certificate as a SPIFFE name; host names prove nothing here.
    credentials: credentials.createSsl(ca, key, certificate, {
      checkServerIdentity: (_host, peer) =>
        identityOfCertificate(peer.raw, Date.now())?.kind === 'controller'
          ? undefined
          : new Error('the certificate is not a controller’s'),
    }),
    options: {
      // An address is no server name (RFC 6066), so a fixed one is sent; the check above never looks at it.
      'grpc.ssl_target_name_override': 'bootfleet-controller',
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.keepalive_time_ms': 20_000,
      'grpc.max_receive_message_length': maxMessageBytes,
    },
  })
  return { service, address: context.address }
}

export function closeClient({ service }: OperatorClient): void {
  service.close()
}

/** One unary call with a deadline; refusals and outages become a CliError that says what to do. */
export function call<Request, Response>(
  client: OperatorClient,
  method: Method<Request, Response>,
  request: Request,
): Promise<Response> {
  return new Promise((fulfil, reject) => {
    method.call(client.service, request, { deadline: Date.now() + callTimeoutMs }, (error, response) => {
      if (error !== null) reject(fromGrpc(error, client.address))
      else if (response === undefined)
        reject(new CliError('ControllerRefused', 'the controller answered nothing'))
      else fulfil(response)
    })
  })
}

/** Every status until `signal` aborts (then it ends), over as many connections as that takes. */
export async function* watchStatus(client: OperatorClient, signal: AbortSignal): AsyncGenerator<Watched> {
  let pauseMs = 200
  while (!signal.aborted) {
    try {
      for await (const status of watchOnce(client, signal)) {
        pauseMs = 200
        yield { kind: 'status', status }
      }
    } catch (error) {
      if (signal.aborted) return
      const failure = fromGrpc(error as ServiceError, client.address)
      if (failure.code !== 'ControllerUnreachable') throw failure
      if ((error as ServiceError).code !== code.DEADLINE_EXCEEDED)
        yield { kind: 'lost', why: failure.message }
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, 2_000)
  }
}

async function* watchOnce(client: OperatorClient, signal: AbortSignal): AsyncGenerator<Status> {
  const request = create(WatchStatusRequestSchema)
  const stream = client.service.watchStatus(request, { deadline: Date.now() + watchTimeoutMs })
  const cancel = (): void => stream.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for await (const message of stream as AsyncIterable<WatchStatusResponse>) {
      if (message.status !== undefined) yield message.status
    }
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

function fromGrpc(error: ServiceError, address: string): CliError {
  if (awayCodes.has(error.code)) {
    const what = `the controller at ${address} does not answer (${error.details})`
    const todo = 'is it running, and is this its context?'
    return new CliError('ControllerUnreachable', `${what}; ${todo}`, { cause: error })
  }
  if (error.code === code.NOT_FOUND) return new CliError('NotFound', error.details, { cause: error })
  return new CliError('ControllerRefused', `the controller refused: ${error.details}`, { cause: error })
}

async function readIdentity(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new CliError('ContextInvalid', `read ${path}, which the context names: ${String(cause)}`, { cause })
  }
}
