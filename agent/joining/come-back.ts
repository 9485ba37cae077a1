import { X509Certificate } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { ComeBackRequestSchema, JoinService } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { ComeBackResponse } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { AgentError } from '../errors.ts'
import type { Identity } from '../identity/identity.ts'
import type { HostTrust } from '../identity/trust.ts'
import { openBareChannel } from '../report/channel.ts'
import { shownBy } from './pinned-server.ts'

const ASK_TIMEOUT_MS = 30_000
/** At one time; whoever is further behind hears the rest when it asks again. */
const BUNDLES_MAX = 256

export type ComingBack = {
  /** HOST:PORT of the controller's listener for hosts that join. */
  readonly address: string
  readonly identity: Pick<Identity, 'nats' | 'returnRequest' | 'judge'>
  readonly trust: Pick<HostTrust, 'authorities' | 'number'>
  /** Judges a bundle by the root keys of the one before; as those that come with reports. */
  readonly offer: (envelope: Uint8Array) => Promise<void>
  readonly signal: AbortSignal
}

/**
 * For a host whose certificate, or whose CA, counts no more: hears whom to believe, and asks for another certificate
 * by its own key. Whoever answers is believed nothing: bundles are judged by the root keys of this host, the
 * certificate by the CAs of the newest of them and as that of this host, and nothing is written before. What is sent is
 * no secret. Null: nobody lets it come back now.
 * @throws AgentError ControllerAway; IdentityInvalid for a certificate of a CA that counts nothing here, or that is
 * not this host's, and for a JWT that is not.
 */
export async function comeBack(options: ComingBack): Promise<string | null> {
  const { address, identity, trust, offer, signal } = options
  const answer = await ask(address, identity.returnRequest(), signal)
  await offerAll(answer.trustBundles, { trust, offer })
  const { certificatePem, natsUserJwt } = answer
  if (certificatePem === '') return null
  const issuers = (trust.authorities()?.match(CERTIFICATES) ?? []).map((pem) => new X509Certificate(pem))
  if (!issuers.some(({ publicKey }) => isSignedBy(certificatePem, publicKey))) {
    const found = 'the certificate is of no CA that this host believes; nothing was written'
    throw new AgentError('IdentityInvalid', `coming back at ${address}: ${found}`)
  }
  identity.judge(certificatePem)
  await identity.nats.take(natsUserJwt)
  return certificatePem
}

/** One that is not taken ends it: none after it could follow, and whoever answers may send any number. */
async function offerAll(
  bundles: readonly Uint8Array[],
  { trust, offer }: Pick<ComingBack, 'trust' | 'offer'>,
): Promise<void> {
  const first = trust.number()
  for (const [at, envelope] of bundles.slice(first, first + BUNDLES_MAX).entries()) {
    await offer(envelope)
    if (trust.number() <= first + at) return
  }
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function isSignedBy(pem: string, key: X509Certificate['publicKey']): boolean {
  try {
    return new X509Certificate(pem).verify(key)
  } catch {
    return false
  }
}

async function ask(
  address: string,
  certificateRequestPem: string,
  signal: AbortSignal,
): Promise<ComeBackResponse> {
  const authority = (await shownBy(address, signal)).at(-1)
  if (authority === undefined)
    throw new AgentError('ControllerAway', `coming back at ${address}: no certificate`)
  const client = openBareChannel(JoinService, { address }, authority.toString())
  try {
    return await new Promise<ComeBackResponse>((resolve, reject) => {
      const request = create(ComeBackRequestSchema, { certificateRequestPem })
      client.comeBack(request, { deadline: Date.now() + ASK_TIMEOUT_MS }, (error, response) => {
        if (response !== undefined) return resolve(response)
        const found = error?.details ?? 'it answered nothing'
        reject(new AgentError('ControllerAway', `coming back at ${address}: ${found}`, { cause: error }))
      })
    })
  } finally {
    client.close()
  }
}
