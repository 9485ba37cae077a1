import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import * as z from 'zod'
import {
  AdmittedSchema,
  EnrolResponseSchema,
  ComeBackResponseSchema,
  WaitingSchema,
} from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type {
  EnrolRequest,
  EnrolResponse,
  JoinService,
  ComeBackRequest,
  ComeBackResponse,
} from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { ControllerError } from '../errors.ts'
import type { JoinCall, JoinOutcome } from '../joins/joining-hosts.ts'
import type { Reissued, ReturnCall } from '../joins/returning.ts'
import { addressOf } from './caller-rates.ts'
import type { JoinLimits } from './join-limits.ts'
import { HostName, parsed } from './operator-requests.ts'
import { asServiceError, serviceError } from './status.ts'

export type JoinBackend = {
  /** @throws ControllerError RequestInvalid. */
  readonly hostIdOfRequest: (certificateRequestPem: string) => Promise<string>
  /** @throws ControllerError NotLeader, StoreUnavailable, AuditUnavailable, RequestInvalid. */
  readonly join: (call: JoinCall) => Promise<JoinOutcome>
  /** Whose key it is, and which NATS user it names. @throws ControllerError RequestInvalid. */
  readonly returnRequest: (
    certificateRequestPem: string,
  ) => Promise<Pick<ReturnCall, 'hostId' | 'natsUserPublicKey'>>
  /** Null: it does not come back now. @throws ControllerError as {@link JoinBackend.join}; bundles are told anyway. */
  readonly comeBack: (call: ReturnCall) => Promise<Reissued | null>
  readonly trustBundles: () => readonly Uint8Array[]
  readonly limits: JoinLimits
  readonly returnLimits: JoinLimits
  /** Where hosts reach what they need; empty where nobody said. */
  readonly addresses: { readonly controllerAddress: string; readonly natsUrl: string }
}

const RETRY_MIN_MS = 2_000
/** The more wait, the less often each may ask. */
const RETRY_PER_WAITING_MS = 40

const UNDECIDED: ReadonlySet<ControllerError['code']> = new Set([
  'AuditUnavailable',
  'NotLeader',
  'StoreUnavailable',
])

const Wanted = z.object({
  tokenId: z.string().max(64),
  tokenSecret: z.instanceof(Uint8Array).refine((secret) => secret.length <= 64, 'it is no secret of a token'),
  certificateRequestPem: z.string().min(1),
  natsUserPublicKey: z.string().min(1).max(128),
  hostName: HostName,
})

const Returning = Wanted.pick({ certificateRequestPem: true })

export function createJoinService(backend: JoinBackend, logger: Logger): Handlers<typeof JoinService> {
  return {
    enrol(call, done) {
      const run = async (): Promise<void> => {
        backend.limits.admit(call.getPeer())
        done(null, await enrol(backend, call.request, addressOf(call.getPeer())))
      }
      run().catch((error: unknown) => done(asServiceError(error, logger)))
    },
    comeBack(call, done) {
      const run = async (): Promise<void> => {
        backend.returnLimits.admit(call.getPeer())
        done(null, await comeBack(backend, call.request, addressOf(call.getPeer())))
      }
      run().catch((error: unknown) => done(asServiceError(error, logger)))
    },
  }
}

async function comeBack(
  backend: JoinBackend,
  request: ComeBackRequest,
  from: string,
): Promise<ComeBackResponse> {
  const { certificateRequestPem } = parsed('coming back', Returning, request)
  const content = await backend.returnRequest(certificateRequestPem)
  const reissued = await backend.comeBack({ ...content, certificateRequestPem, from }).catch(nothingNow)
  return create(ComeBackResponseSchema, { ...reissued, trustBundles: [...backend.trustBundles()] })
}

/** One that cannot decide now still knows whom to believe: that lies in a file of its own. */
function nothingNow(error: unknown): null {
  if (error instanceof ControllerError && UNDECIDED.has(error.code)) return null
  throw error
}

async function enrol(backend: JoinBackend, request: EnrolRequest, from: string): Promise<EnrolResponse> {
  const { hostName: name, ...wanted } = parsed('joining', Wanted, request)
  const hostId = await backend.hostIdOfRequest(wanted.certificateRequestPem)
  const outcome = await backend.join({ ...wanted, hostId, name, from })
  switch (outcome.kind) {
    case 'Refused':
      throw serviceError(
        status.UNAUTHENTICATED,
        'the token lets nobody in: it is unknown, used, expired or revoked; ask an operator for another',
      )
    case 'Denied':
      throw serviceError(
        status.PERMISSION_DENIED,
        `an operator keeps this host out: ${outcome.reason || 'no reason was given'}`,
      )
    case 'Full':
      throw serviceError(status.RESOURCE_EXHAUSTED, 'too many hosts wait for a person; try again later')
    case 'Waiting': {
      const retryAfterMs = BigInt(RETRY_MIN_MS + outcome.waiting * RETRY_PER_WAITING_MS)
      const waiting = create(WaitingSchema, {
        retryAfterMs,
        expiresAtMs: BigInt(outcome.expiresAtMs),
        message: outcome.message,
      })
      return create(EnrolResponseSchema, { hostId, outcome: { case: 'waiting', value: waiting } })
    }
    case 'Admitted': {
      const { name: hostName, issued } = outcome
      const admitted = create(AdmittedSchema, { ...issued, hostName, ...backend.addresses })
      return create(EnrolResponseSchema, { hostId, outcome: { case: 'admitted', value: admitted } })
    }
  }
}
