import { create } from '@bufbuild/protobuf'
import { RenewCertificateRequestSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { RenewCertificateResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import { openChannel } from './channel.ts'
import type { Credentials, Endpoint } from './channel.ts'

const RENEW_TIMEOUT_MS = 30_000

export type RenewalRequest = { readonly certificateRequestPem: string; readonly natsUserPublicKey: string }

/**
 * Ask the controller for another certificate, over a connection of its own: the stream of reports may be broken.
 * Rejects with what the controller or the network said.
 */
export async function renewCertificate(
  endpoint: Endpoint,
  credentials: Credentials,
  request: RenewalRequest & { readonly signal: AbortSignal },
): Promise<RenewCertificateResponse> {
  const { signal, ...wanted } = request
  const client = openChannel(endpoint, credentials)
  try {
    return await new Promise((resolve, reject) => {
      const message = create(RenewCertificateRequestSchema, wanted)
      const deadline = Date.now() + RENEW_TIMEOUT_MS
      const call = client.renewCertificate(message, { deadline }, (error, response) =>
        response === undefined ? reject(error ?? new Error('no answer')) : resolve(response),
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
