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
        serve({ call, peer, backend, logger }, () => {
          if (streams.get(hostId) === call) streams.delete(hostId)
        })
      } catch (error) {
        call.emit('error', isServiceError(error) ? error : toServiceError(error, logger))
      }
    },
  }
}

type Serving = {
  readonly call: AttachCall
  readonly peer: Peer<'host'>
  readonly backend: AgentBackend
  readonly logger: Logger
}

function serve({ call, peer, backend, logger }: Serving, onEnd: () => void): void {
  const attachment = backend.attach(peer.identity.hostId)
  const acknowledgements = trackAcknowledgements()
  const rate = openMessageRate(RATE)
  let lastSequence = 0
  let ended = false

  function end(): void {
    if (ended) return
    ended = true
    attachment.detach()
    onEnd()
  }

  function fail(error: unknown): void {
    if (ended) return
    end()
    call.emit('error', isServiceError(error) ? error : toServiceError(error, logger))
  }

  function taken(sequence: number): void {
    const through = acknowledgements.taken(sequence)
    if (ended) return
    if (through !== null) call.write(create(AttachResponseSchema, { acknowledgedThrough: BigInt(through) }))
    if (call.isPaused() && acknowledgements.pending < PENDING_MAX) call.resume()
  }

  function receive(request: AttachRequest): void {
    const sequence = Number(request.sequence)
    if (!peer.isValidAt(Date.now()))
      throw serviceError(status.UNAUTHENTICATED, 'the client certificate has expired')
    if (!rate.take(performance.now())) {
      throw serviceError(status.RESOURCE_EXHAUSTED, `a host may send ${RATE.perSecond} messages a second`)
    }
    if (sequence !== lastSequence + 1) {
      throw serviceError(
        status.INVALID_ARGUMENT,
        `sequence ${sequence} follows ${lastSequence}; it must grow by one`,
      )
    }
    lastSequence = sequence
    acknowledgements.open(sequence)
    attachment.seen()
    if (request.message.case === 'report') {
      attachment.report(reportFromWire(request.message.value)).then(() => taken(sequence), fail)
      if (acknowledgements.pending >= PENDING_MAX) call.pause()
      return
    }
    if (request.message.case === 'progress') {
      const { doneBytes, totalBytes } = request.message.value
      attachment.progress({ done: Number(doneBytes), total: Number(totalBytes) })
    }
    taken(sequence)
  }

  call.on('data', (request: AttachRequest) => {
    if (ended) return
    try {
      receive(request)
    } catch (error) {
      fail(error)
    }
  })
  call.on('end', () => {
    end()
    call.end()
  })
  call.on('cancelled', end)
  call.on('error', end)
  call.on('close', end)
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && error.name === 'ServiceError'
}
