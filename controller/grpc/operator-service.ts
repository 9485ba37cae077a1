import { create } from '@bufbuild/protobuf'
import type { Logger } from 'pino'
import { WatchStatusResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { ListImagesRequest } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import type { Handlers } from '../../proto/grpc.ts'
import type { OperatorRoles } from '../operators/bindings-file.ts'
import { answering } from './answering.ts'
import { exportAudit, newestEntries } from './audit-entries.ts'
import type { AuditArchive } from './audit-entries.ts'
import { watchAudit } from './audit-watch.ts'
import { hostsAsked } from './hosts-asked.ts'
import { hostsWith, imagesOf } from './images-view.ts'
import type { ImageQuestion } from './images-view.ts'
import { joinHandlers } from './join-orders.ts'
import { enrolmentFromWire, requiredReason, selectorFromWire } from './operator-requests.ts'
import type { EnrolmentRequest } from './operator-requests.ts'
import type { TokenOrders } from '../joins/token-orders.ts'
import { operatorFromWire } from '../operators/issue.ts'
import type { IssuedOperator, OperatorRequest } from '../operators/issue.ts'
import { rolesOf } from '../operators/roles.ts'
import { openOrderAudit } from './order-audit.ts'
import type { Permissions, Viewer } from './permit.ts'
import { rolloutStatuses, sourceStatuses, statusOf } from './status-view.ts'
import { verbHandlers } from './verbs.ts'
import type { VerbBackend } from './verbs.ts'
import { visibleHosts, visibleRollouts, visibleSources, visibleStatus } from './visible.ts'
import { watch } from './watching.ts'
import { traceOf, whyOf } from './why-view.ts'

/** What the service needs of the controller. */
export type OperatorBackend = VerbBackend & {
  readonly roles: OperatorRoles
  readonly audit: AuditArchive
  /** Polls the source now. @throws ControllerError NotLeader. */
  sync(): Promise<void>
  enrol(request: EnrolmentRequest): Promise<{
    readonly hostId: string
    readonly certificatePem: string
    readonly certificateAuthorityPem: string
    readonly trustBundles: Uint8Array[]
    readonly natsUserJwt: string
  }>
  /** @throws ControllerError NotFound, RequestInvalid. */
  revoke(order: { readonly host: string; readonly actor: string; readonly reason: string }): Promise<{
    readonly hostId: string
    readonly message: string
    readonly changed: boolean
  }>
  readonly tokens: TokenOrders
  issueOperator(request: OperatorRequest): Promise<IssuedOperator>
  /** Where the web page is served; 0 where it is not. */
  readonly webPort: () => number
  /** Calls back after changes, a few times a second at most; null when there are too many listeners. */
  readonly listen: (listener: () => void) => (() => void) | null
}

export function createOperatorService(
  backend: OperatorBackend,
  logger: Logger,
): Handlers<typeof OperatorService> {
  const { audit, roles } = backend
  const permissions: Permissions = { roles, state: () => backend.snapshot().state }
  const unary = answering({ permissions, audit: openOrderAudit(audit), logger })
  return {
    getStatus: unary('getStatus', ({ viewer }) => ({
      status: visibleStatus(statusOf(backend.snapshot()), viewer),
    })),
    watchStatus: (call) =>
      watch('watchStatus', call, {
        permissions,
        logger,
        listen: backend.listen,
        next: (viewer) =>
          create(WatchStatusResponseSchema, { status: visibleStatus(statusOf(backend.snapshot()), viewer) }),
      }),
    listHosts: unary('listHosts', ({ request, viewer }) => ({
      hosts: visibleHosts(hostsAsked(backend.snapshot(), request), viewer),
    })),
    listRollouts: unary('listRollouts', ({ request, viewer }) => ({
      rollouts: visibleRollouts(rolloutStatuses(backend.snapshot(), request.fleet), viewer),
    })),
    listImages: unary('listImages', ({ request, viewer }) =>
      imagesOf(imageQuestion(backend, request, viewer)),
    ),
    findHosts: unary('findHosts', ({ request, viewer }) =>
      hostsWith(imageQuestion(backend, request, viewer), request),
    ),
    sync: unary('sync', async ({ viewer }) => {
      await backend.sync()
      return visibleSources(sourceStatuses(backend.snapshot()), viewer)
    }),
    why: unary('why', ({ request }) => whyOf(backend.snapshot(), request.host)),
    trace: unary('trace', ({ request }) => traceOf(backend.snapshot(), request)),
    ...verbHandlers(backend, unary),
    issueOperator: unary('issueOperator', async ({ request }) => {
      const { expiresAtMs, ...issued } = await backend.issueOperator(operatorFromWire(request))
      return { ...issued, expiresAtMs: BigInt(expiresAtMs) }
    }),
    whoAmI: unary('whoAmI', ({ actor }) => callerOf(backend, actor)),
    listAudit: unary('listAudit', ({ request, viewer }) => ({
      lines: newestEntries({ audit, permissions }, request, viewer),
    })),
    watchAudit: (call) => watchAudit(call, { audit, permissions, logger }),
    exportAudit: (call) => exportAudit(call, { audit, permissions, logger }),
    ...joinHandlers(backend.tokens, unary),
    enrolHost: unary('enrolHost', ({ request }) => backend.enrol(enrolmentFromWire(request))),
    revokeHost: unary('revokeHost', ({ request, actor }) =>
      backend.revoke({
        host: request.host,
        actor,
        reason: requiredReason(`revoking host ${request.host}`, request.reason),
      }),
    ),
  }
}

function callerOf({ roles, webPort }: OperatorBackend, name: string) {
  return { name, roles: rolesOf(roles.bindings(), name), webPort: webPort() }
}

function imageQuestion(
  backend: OperatorBackend,
  { fleet, labels }: Pick<ListImagesRequest, 'fleet' | 'labels'>,
  viewer: Viewer,
): ImageQuestion {
  return { snapshot: backend.snapshot(), viewer, fleet, selector: selectorFromWire(labels) }
}
