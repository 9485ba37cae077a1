import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { EnrolRequestSchema, JoinService } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { EnrolRequest, EnrolResponse } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { JoinToken } from '../../proto/join-token.ts'
import { AgentError } from '../errors.ts'
import { openBareChannel } from '../report/channel.ts'

const ASK_TIMEOUT_MS = 30_000
/** A new call may be answered otherwise. */
const PASSING: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.UNKNOWN,
])

export type JoinRequest = {
  readonly token: JoinToken
  readonly certificateRequestPem: string
  readonly natsUserPublicKey: string
  readonly hostName: string
}

/**
 * One call over a connection that believes only this CA; the secret is sent once TLS has judged the server by it.
 * @throws AgentError EnrolRefused; ControllerAway when it may be answered later.
 */
export async function ask(
  server: { readonly address: string; readonly authorityPem: string },
  { token, ...wanted }: JoinRequest,
  signal: AbortSignal,
): Promise<EnrolResponse> {
  const client = openBareChannel(JoinService, { address: server.address }, server.authorityPem)
  try {
    const credentials = { tokenId: token.id, tokenSecret: Uint8Array.from(token.secret) }
    const request: EnrolRequest = create(EnrolRequestSchema, { ...wanted, ...credentials })
    return await new Promise<EnrolResponse>((resolve, reject) => {
      const deadline = Date.now() + ASK_TIMEOUT_MS
      const call = client.enrol(request, { deadline }, (error, response) =>
        response === undefined ? reject(refusal(error, server.address)) : resolve(response),
      )
      const stop = (): void => call.cancel()
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
      call.on('status', () => signal.removeEventListener('abort', stop))
    })
  } finally {
    client.close()
  }
}

function refusal(error: ServiceError | null, address: string): AgentError {
  const found = `enrolling at ${address}: ${error?.details ?? 'it answered nothing'}`
  const isPassing = error === null || PASSING.has(error.code)
  return new AgentError(isPassing ? 'ControllerAway' : 'EnrolRefused', found, { cause: error })
}
