import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import {
  EnrolHostResponseSchema,
  GetStatusResponseSchema,
  ListHostsResponseSchema,
  ListRolloutsResponseSchema,
  PauseRolloutResponseSchema,
  ResumeRolloutResponseSchema,
  SyncResponseSchema,
  WatchStatusResponseSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  OperatorService,
  RolloutStatus,
  WatchStatusRequest,
  WatchStatusResponse,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { authorize } from './authorize.ts'
import { enrolmentFromWire, reasonFromWire } from './operator-requests.ts'
import type { EnrolmentRequest } from './operator-requests.ts'
import { serviceError, toServiceError } from './status.ts'
import { hostStatuses, rolloutStatusOf, rolloutStatuses, sourceStatus, statusOf } from './status-view.ts'
import type { Snapshot } from './status-view.ts'

/** What the service needs of the controller. */
export type OperatorBackend = {
  /** @throws ControllerError NotLeader. */
  snapshot(): Snapshot
  /** Polls the source now. @throws ControllerError NotLeader. */
  sync(): Promise<void>
  control(verb: {
    readonly kind: 'pause' | 'resume'
    /** Name of a fleet or id of a rollout. */
    readonly target: string
    readonly actor: string
    readonly reason: string
  }): Promise<{ readonly rolloutId: string }>
  enrol(request: EnrolmentRequest): Promise<{
    readonly hostId: string
    readonly certificatePem: string
    readonly certificateAuthorityPem: string
  }>
  /** Calls back after changes, a few times a second at most; null when there are too many listeners. */
  listen(listener: () => void): (() => void) | null
}

export function createOperatorService(
  backend: OperatorBackend,
  logger: Logger,
): Handlers<typeof OperatorService> {
  const unary = answering(logger)
  return {
    getStatus: unary(GetStatusResponseSchema, () => ({ status: statusOf(backend.snapshot()) })),
    watchStatus: (call) => watch(call, backend, logger),
    listHosts: unary(ListHostsResponseSchema, ({ request }: Request<{ fleet: string }>) => ({
      hosts: hostStatuses(backend.snapshot(), request.fleet),
    })),
    listRollouts: unary(ListRolloutsResponseSchema, ({ request }: Request<{ fleet: string }>) => ({
      rollouts: rolloutStatuses(backend.snapshot(), request.fleet),
    })),
    sync: unary(SyncResponseSchema, async () => {
      await backend.sync()
      return { source: sourceStatus(backend.snapshot()) }
    }),
    pauseRollout: unary(PauseRolloutResponseSchema, (call: Request<Verb>) => control('pause', call)),
    resumeRollout: unary(ResumeRolloutResponseSchema, (call: Request<Verb>) => control('resume', call)),
    enrolHost: unary(
      EnrolHostResponseSchema,
      ({ request }: Request<Parameters<typeof enrolmentFromWire>[0]>) =>
        backend.enrol(enrolmentFromWire(request)),
    ),
  }

  async function control(
    kind: 'pause' | 'resume',
    { request, actor }: Request<Verb>,
  ): Promise<{ readonly rollout?: RolloutStatus }> {
    const reason = reasonFromWire(request.reason)
    const { rolloutId } = await backend.control({ kind, target: request.target, actor, reason })
    const rollout = rolloutStatusOf(backend.snapshot(), rolloutId)
    return rollout === null ? {} : { rollout }
  }
}

type Verb = { readonly target: string; readonly reason: string }
type Request<Message> = { readonly request: Message; readonly actor: string }

/** A handler that authorizes first, and turns what is thrown into a status. */
function answering(logger: Logger) {
  return <Message, Schema extends Parameters<typeof create>[0]>(
      schema: Schema,
      answer: (call: Request<Message>) => MessageInitShape<Schema> | Promise<MessageInitShape<Schema>>,
    ) =>
    (call: ServerUnaryCall<Message, never>, done: sendUnaryData<never>): void => {
      const run = async (): Promise<void> => {
        const { identity } = authorize(call, 'operator')
        const answered = await answer({ request: call.request, actor: identity.name })
        done(null, create(schema, answered) as never)
      }
      run().catch((error: unknown) => done(asServiceError(error, logger)))
    }
}

function watch(
  call: ServerWritableStream<WatchStatusRequest, WatchStatusResponse>,
  backend: OperatorBackend,
  logger: Logger,
): void {
  let stop: (() => void) | null = null
  // A slow reader skips states instead of filling our memory with them.
  let blocked = false
  const end = (): void => stop?.()
  const send = (): void => {
    if (blocked) return
    try {
      blocked = !call.write(create(WatchStatusResponseSchema, { status: statusOf(backend.snapshot()) }))
    } catch (error) {
      end()
      call.emit('error', asServiceError(error, logger))
    }
  }
  call.on('drain', () => {
    blocked = false
    send()
  })
  for (const event of ['cancelled', 'close', 'error']) call.on(event, end)
  try {
    const peer = authorize(call, 'operator')
    stop = backend.listen(() => {
      if (peer.isValidAt(Date.now())) return send()
      end()
      call.emit('error', serviceError(status.UNAUTHENTICATED, 'the client certificate has expired'))
    })
    if (stop === null)
      throw serviceError(status.RESOURCE_EXHAUSTED, 'too many status watches are open; close one')
    send()
  } catch (error) {
    call.emit('error', asServiceError(error, logger))
  }
}

function asServiceError(error: unknown, logger: Logger): ReturnType<typeof toServiceError> {
  const known = error instanceof Error && error.name === 'ServiceError'
  return known ? (error as ReturnType<typeof toServiceError>) : toServiceError(error, logger)
}
