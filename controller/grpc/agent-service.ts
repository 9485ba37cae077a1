import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceError } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { AttachResponseSchema } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { AgentService, AttachRequest, AttachResponse } from '../../proto/gen/bootfleet/v1/agent_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import type { HostReport } from '../rollout/types.ts'
import { trackAcknowledgements } from './acknowledgements.ts'
import { authorize } from './authorize.ts'
import type { Peer } from './authorize.ts'
import { openMessageRate } from './message-rate.ts'
import { reportFromWire } from './report-from-wire.ts'
import { serviceError, toServiceError } from './status.ts'

/** What the service needs of the controller. */
export type AgentBackend = {
  /** @throws ControllerError NotLeader. */
  isEnrolled(hostId: string): boolean
  /** The host is connected from here until `detach`. */
  attach(hostId: string): Attachment
}

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

export function createAgentService(backend: AgentBackend, logger: Logger): Handlers<typeof AgentService> {
  const streams = new Map<string, AttachCall>()
  return {
    attach(call) {
      try {
        const peer = authorize(call, 'host')
        const { hostId } = peer.identity
        if (!backend.isEnrolled(hostId)) {
          throw serviceError(status.PERMISSION_DENIED, `host ${hostId} is not enrolled; enrol it first`)
        }
        const before = streams.get(hostId)
        streams.set(hostId, call)
        // After a broken network the host is back before its old connection is known to be dead.
        before?.emit('error', serviceError(status.ABORTED, 'a newer stream of this host replaced this one'))
        const onEnd = (): void => {
          if (streams.get(hostId) === call) streams.delete(hostId)
        }
        new AttachedStream({ call, peer, logger, onEnd }, backend.attach(hostId)).listen()
      } catch (error) {
        call.emit('error', isServiceError(error) ? error : toServiceError(error, logger))
      }
    },
  }
}

type Serving = {
  readonly call: AttachCall
  readonly peer: Peer<'host'>
  readonly logger: Logger
  readonly onEnd: () => void
}

/** One host's stream, from its opening to its end, whoever ends it. */
class AttachedStream {
  readonly #serving: Serving
  readonly #attachment: Attachment
  readonly #acknowledgements = trackAcknowledgements()
  readonly #rate = openMessageRate(RATE)
  #lastSequence = 0
  #ended = false

  constructor(serving: Serving, attachment: Attachment) {
    this.#serving = serving
    this.#attachment = attachment
  }

  listen(): void {
    const { call } = this.#serving
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

  #receive(request: AttachRequest): void {
    const sequence = this.#admit(request)
    this.#acknowledgements.open(sequence)
    this.#attachment.seen()
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
    if (!this.#serving.peer.isValidAt(Date.now())) {
      throw serviceError(status.UNAUTHENTICATED, 'the client certificate has expired')
    }
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
    if (through !== null) call.write(create(AttachResponseSchema, { acknowledgedThrough: BigInt(through) }))
    if (call.isPaused() && this.#acknowledgements.pending < PENDING_MAX) call.resume()
  }

  #fail(error: unknown): void {
    if (this.#ended) return
    this.#end()
    const { call, logger } = this.#serving
    call.emit('error', isServiceError(error) ? error : toServiceError(error, logger))
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#attachment.detach()
    this.#serving.onEnd()
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && error.name === 'ServiceError'
}
