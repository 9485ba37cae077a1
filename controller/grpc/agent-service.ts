import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceError } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import {
  AttachResponseSchema,
  RenewCertificateResponseSchema,
} from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AgentService, AttachRequest, AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import type { HostReport } from '../rollout/report.ts'
import { trackAcknowledgements } from './acknowledgements.ts'
import { authorize } from './authorize.ts'
import type { Peer } from './authorize.ts'
import { openHostLimits } from './host-limits.ts'
import { openMessageRate } from './message-rate.ts'
import { reportFromWire } from './report-from-wire.ts'
import { asServiceError, serviceError } from './status.ts'

/** What the service needs of the controller. */
export type AgentBackend = {
  /** @throws ControllerError NotLeader. */
  readonly admissionOf: (hostId: string) => Admission
  /** Envelopes of the trust bundles after that number, oldest first. */
  readonly trustAfter: (number: number) => readonly Uint8Array[]
  /** A new certificate for this host, and nothing but the key taken from the request. */
  renew(hostId: string, request: RenewalRequest): Promise<Renewal>
  /** The host is connected from here until `detach`. */
  attach(hostId: string): Attachment
}

export type Admission = 'Enrolled' | 'Revoked' | 'Unknown'

export type RenewalRequest = { readonly certificateRequestPem: string; readonly natsUserPublicKey: string }
export type Renewal = { readonly certificatePem: string; readonly natsUserJwt: string }

export type Attachment = {
  /** Resolves when the report, or a newer one of the host, is stored. */
  report(report: HostReport): Promise<void>
  progress(bytes: { readonly done: number; readonly total: number }): void
  seen(): void
  detach(): void
}

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>

const RATE = { burst: 200, perSecond: 20 }
/** Reports of one stream that wait for the store; beyond it the stream is paused. */
const PENDING_MAX = 16
/** How long a host may stay connected after it was revoked, or its certificate ended. */
const JUDGE_EVERY_MS = 5_000
/** Trust bundles per message of the host; it gets further ones with its next. */
const BUNDLES_MAX = 16

export function createAgentService(backend: AgentBackend, logger: Logger): Handlers<typeof AgentService> {
  const streams = new Map<string, AttachCall>()
  const limits = openHostLimits()
  const enrolledPeer = (call: Parameters<typeof authorize>[0]): Peer<'host'> => {
    const peer = authorize(call, 'host')
    const refusal = refusalOf(backend, peer.identity.hostId)
    if (refusal !== null) throw refusal
    return peer
  }
  return {
    renewCertificate(call, done) {
      const run = async (): Promise<void> => {
        const { certificateRequestPem, natsUserPublicKey } = call.request
        const { hostId } = enrolledPeer(call).identity
        const request = { certificateRequestPem, natsUserPublicKey }
        const renewal = await limits.renewing(hostId, () => backend.renew(hostId, request))
        done(null, create(RenewCertificateResponseSchema, renewal))
      }
      run().catch((error: unknown) => done(asServiceError(error, logger)))
    },
    attach(call) {
      try {
        const peer = enrolledPeer(call)
        const { hostId } = peer.identity
        limits.admitStream(hostId)
        if (peer.isJoining) {
          throw serviceError(status.PERMISSION_DENIED, 'this certificate is good only to be renewed')
        }
        const before = streams.get(hostId)
        streams.set(hostId, call)
        // After a broken network the host is back before its old connection is known to be dead.
        before?.emit('error', serviceError(status.ABORTED, 'a newer stream of this host replaced this one'))
        const onEnd = (): void => {
          if (streams.get(hostId) === call) streams.delete(hostId)
        }
        const { trustAfter } = backend
        const judge = (): void => judgeStream(backend, peer)
        new AttachedStream({ call, peer, logger, onEnd, trustAfter, judge }, backend.attach(hostId)).listen()
      } catch (error) {
        call.emit('error', asServiceError(error, logger))
      }
    },
  }
}

function refusalOf({ admissionOf }: AgentBackend, hostId: string): ServiceError | null {
  switch (admissionOf(hostId)) {
    case 'Enrolled':
      return null
    case 'Revoked':
      return serviceError(status.PERMISSION_DENIED, `host ${hostId} is revoked; a person must enrol it again`)
    case 'Unknown':
      return serviceError(status.PERMISSION_DENIED, `host ${hostId} is not enrolled; enrol it first`)
  }
}

/** @throws ServiceError when the host may not go on: what held at its opening may have ended. */
function judgeStream(backend: AgentBackend, peer: Peer<'host'>): void {
  if (!peer.isValidAt(Date.now())) {
    throw serviceError(status.UNAUTHENTICATED, 'the client certificate has expired')
  }
  const refusal = refusalOf(backend, peer.identity.hostId)
  if (refusal !== null) throw refusal
}

type Serving = {
  readonly call: AttachCall
  readonly peer: Peer<'host'>
  readonly logger: Logger
  readonly onEnd: () => void
  readonly trustAfter: AgentBackend['trustAfter']
  /** @throws ServiceError when the host may not go on. */
  readonly judge: () => void
}

/** One host's stream, from its opening to its end, whoever ends it. */
class AttachedStream {
  readonly #serving: Serving
  readonly #attachment: Attachment
  readonly #acknowledgements = trackAcknowledgements()
  readonly #rate = openMessageRate(RATE)
  #lastSequence = 0
  #acknowledgedThrough = 0
  /** Of the newest bundle that went down this stream; one that the host did not take is not sent again. */
  #trustSent = 0
  #ended = false
  #judging: NodeJS.Timeout | undefined

  constructor(serving: Serving, attachment: Attachment) {
    this.#serving = serving
    this.#attachment = attachment
  }

  listen(): void {
    const { call } = this.#serving
    this.#judging = setInterval(() => this.#judge(), JUDGE_EVERY_MS)
    call.on('data', (request: AttachRequest) => {
      if (this.#ended) return
      try {
        this.#receive(request)
      } catch (error) {
        this.#fail(error)
      }
    })
    call.on('end', () => {
      this.#end()
      call.end()
    })
    for (const event of ['cancelled', 'error', 'close']) call.on(event, () => this.#end())
  }

  /** Also a stream on which nothing comes is ended when its host may not have it any more. */
  #judge(): void {
    try {
      this.#serving.judge()
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(request: AttachRequest): void {
    const sequence = this.#admit(request)
    this.#acknowledgements.open(sequence)
    this.#attachment.seen()
    if (request.trustBundle !== undefined) this.#sendTrust(request.trustBundle)
    if (request.message.case === 'report') {
      const stored = this.#attachment.report(reportFromWire(request.message.value))
      stored.then(
        () => this.#taken(sequence),
        (error: unknown) => this.#fail(error),
      )
      if (this.#acknowledgements.pending >= PENDING_MAX) this.#serving.call.pause()
      return
    }
    if (request.message.case === 'progress') {
      const { doneBytes, totalBytes } = request.message.value
      this.#attachment.progress({ done: Number(doneBytes), total: Number(totalBytes) })
    }
    this.#taken(sequence)
  }

  /** Sequence of a message that may be taken. @throws ServiceError. */
  #admit(request: AttachRequest): number {
    const sequence = Number(request.sequence)
    this.#serving.judge()
    if (!this.#rate.take(performance.now())) {
      throw serviceError(status.RESOURCE_EXHAUSTED, `a host may send ${RATE.perSecond} messages a second`)
    }
    if (sequence !== this.#lastSequence + 1) {
      const found = `sequence ${sequence} follows ${this.#lastSequence}`
      throw serviceError(status.INVALID_ARGUMENT, `${found}; it must grow by one`)
    }
    this.#lastSequence = sequence
    return sequence
  }

  #taken(sequence: number): void {
    const through = this.#acknowledgements.taken(sequence)
    if (this.#ended) return
    const { call } = this.#serving
    if (through !== null) {
      this.#acknowledgedThrough = through
      call.write(create(AttachResponseSchema, { acknowledgedThrough: BigInt(through) }))
    }
    if (call.isPaused() && this.#acknowledgements.pending < PENDING_MAX) call.resume()
  }

  #sendTrust(heldNumber: number): void {
    this.#trustSent = Math.max(heldNumber, this.#trustSent)
    const acknowledgedThrough = BigInt(this.#acknowledgedThrough)
    for (const envelope of this.#serving.trustAfter(this.#trustSent).slice(0, BUNDLES_MAX)) {
      const trustBundle = Buffer.from(envelope)
      this.#serving.call.write(create(AttachResponseSchema, { acknowledgedThrough, trustBundle }))
      this.#trustSent += 1
    }
  }

  #fail(error: unknown): void {
    if (this.#ended) return
    this.#end()
    const { call, logger } = this.#serving
    call.emit('error', asServiceError(error, logger))
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#judging)
    this.#attachment.detach()
    this.#serving.onEnd()
  }
}
