import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { PeerCertificate } from 'node:tls'
import type { Logger } from 'pino'
import { parseAuditEntry } from '../proto/audit-entry.ts'
import { worstFirst } from '../proto/picture/host-order.ts'
import { withoutAsked } from '../proto/picture/told-orders.ts'
import {
  ListAuditRequestSchema,
  ListHostsRequestSchema,
  StatusSchema,
  TraceRequestSchema,
  TraceResponseSchema,
  WatchStatusRequestSchema,
  WhyRequestSchema,
  WhyResponseSchema,
} from '../proto/gen/bootfleet/v1/operator_pb.ts'
import type { HostStatus, Status } from '../proto/gen/bootfleet/v1/operator_pb.ts'
import { newestEntries } from './grpc/audit-entries.ts'
import { authorizeOperator } from './grpc/authorize.ts'
import { openMessageRate } from './grpc/message-rate.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import { permit } from './grpc/permit.ts'
import type { Permissions, Viewer } from './grpc/permit.ts'
import { asServiceError } from './grpc/status.ts'
import { hostStatuses, statusOf } from './grpc/status-view.ts'
import type { Snapshot } from './grpc/status-view.ts'
import { visibleHosts, visibleStatus } from './grpc/visible.ts'
import { traceOf, whyOf } from './grpc/why-view.ts'
import { WebRefusal } from './web/backend.ts'
import type { WebBackend } from './web/backend.ts'
import type { Place } from './web/page/place.ts'
import type { EventLine, Reading } from './web/page/wire.ts'

type Answers = Pick<OperatorBackend, 'audit' | 'listen' | 'roles' | 'snapshot'>

const HOSTS_MAX = 200
const EVENTS_MAX = 40
/** Lines of the audit log that are looked at for them. */
const EVENTS_SEEN_MAX = 200
/** Of one operator: a page is four requests, and then one stream. */
const REQUESTS = { burst: 40, perSecond: 10 }
const OPERATORS_MAX = 256

/** The operator service's own answers, by its own rules, for a page that only reads. */
export function webBackend(answers: Answers, logger: Logger): WebBackend {
  const { roles } = answers
  const rateOf = openRates()
  const identified = (certificate: PeerCertificate) => {
    const call = { getAuthContext: () => ({ sslPeerCertificate: certificate }), getPeer: () => '' }
    return authorizeOperator(call, roles).name
  }
  return {
    listen: answers.listen,
    operatorOf: (certificate) =>
      refusing(logger, () => {
        const actor = identified(certificate)
        if (!rateOf(actor).take(performance.now()))
          throw new WebRefusal(429, 'too many requests; wait a little')
        return actor
      }),
    read: (certificate, place) =>
      refusing(logger, () => readingOf(answers, { actor: identified(certificate), place })),
  }
}

function readingOf(
  answers: Answers,
  { actor, place }: { readonly actor: string; readonly place: Place },
): Reading {
  const { roles, audit } = answers
  const snapshot = answers.snapshot()
  const permissions: Permissions = { roles, state: () => snapshot.state }
  const request = create(WatchStatusRequestSchema)
  const { viewer } = permit(permissions, { method: 'watchStatus', request, actor })
  const status = visibleStatus(statusOf(snapshot), viewer)
  switch (place.kind) {
    case 'wall': {
      const told = eventsOf({ permissions, audit }, { actor, fleet: '', about: '' })
      return { operator: actor, status, hosts: [], hostsTotal: 0, why: null, hops: [], events: told }
    }
    case 'fleet': {
      const { fleet } = place
      const hosts = hostsOf(permissions, { snapshot, viewer, actor, fleet })
      return {
        operator: actor,
        status: onlyFleet(status, fleet),
        hosts: hosts.slice(0, HOSTS_MAX),
        hostsTotal: hosts.length,
        why: null,
        hops: [],
        events: eventsOf({ permissions, audit }, { actor, fleet, about: '' }),
      }
    }
    case 'host':
      return storyOf({ permissions, snapshot, viewer, actor, audit }, status, place.host)
  }
}

type Reader = {
  readonly permissions: Permissions
  readonly snapshot: Snapshot
  readonly viewer: Viewer
  readonly actor: string
  readonly audit: Answers['audit']
}

function storyOf({ audit, ...reader }: Reader, status: Status, host: string): Reading {
  const { permissions, snapshot, actor } = reader
  const whyRequest = create(WhyRequestSchema, { host })
  permit(permissions, { method: 'why', request: whyRequest, actor })
  const traceRequest = create(TraceRequestSchema, { host })
  permit(permissions, { method: 'trace', request: traceRequest, actor })
  const why = create(WhyResponseSchema, whyOf(snapshot, host))
  const { hops } = create(TraceResponseSchema, traceOf(snapshot, traceRequest))
  const { hostId, fleet } = why
  const hosts = hostsOf(permissions, { ...reader, fleet }).filter((each) => each.hostId === hostId)
  const events = eventsOf({ permissions, audit }, { actor, fleet: '', about: `host/${hostId}` })
  return {
    operator: actor,
    status: onlyFleet(status, fleet),
    hosts,
    hostsTotal: hosts.length,
    why,
    hops,
    events,
  }
}

function hostsOf(
  permissions: Permissions,
  { snapshot, viewer, actor, fleet }: Omit<Reader, 'audit' | 'permissions'> & { readonly fleet: string },
): readonly HostStatus[] {
  permit(permissions, { method: 'listHosts', request: create(ListHostsRequestSchema, { fleet }), actor })
  return worstFirst(visibleHosts(hostStatuses(snapshot, fleet), viewer))
}

function eventsOf(
  { permissions, audit }: Pick<Reader, 'permissions' | 'audit'>,
  { actor, fleet, about }: { readonly actor: string; readonly fleet: string; readonly about: string },
): readonly EventLine[] {
  const request = create(ListAuditRequestSchema, { fleet, about, limit: EVENTS_MAX })
  const { viewer } = permit(permissions, { method: 'listAudit', request, actor })
  const newest = { ...audit, recent: () => audit.recent().slice(-EVENTS_SEEN_MAX) }
  const lines = newestEntries({ audit: newest, permissions }, request, viewer)
  const entries = lines.flatMap((line) => parseAuditEntry(line) ?? [])
  return withoutAsked(entries)
    .toReversed()
    .map(({ actor: by, at, event, fleet: of, message, outcome, reason, subject }) => ({
      actor: by,
      at,
      event,
      fleet: of,
      message,
      outcome,
      reason,
      subject,
    }))
}

/** What is wrong with sources is told everywhere. */
function onlyFleet(status: Status, fleet: string): Status {
  return create(StatusSchema, { ...status, fleets: status.fleets.filter(({ name }) => name === fleet) })
}

/** What the operator service would answer as a status of gRPC, as one of HTTP. */
function refusing<Value>(logger: Logger, answer: () => Value): Value {
  try {
    return answer()
  } catch (error) {
    if (error instanceof WebRefusal) throw error
    const { code, details } = asServiceError(error, logger)
    throw new WebRefusal(HTTP_STATUS[code] ?? 500, details)
  }
}

const HTTP_STATUS: Readonly<Partial<Record<status, WebRefusal['status']>>> = {
  [status.UNAUTHENTICATED]: 403,
  [status.PERMISSION_DENIED]: 403,
  [status.NOT_FOUND]: 404,
  [status.INVALID_ARGUMENT]: 400,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.UNAVAILABLE]: 503,
}

function openRates(): (operator: string) => ReturnType<typeof openMessageRate> {
  const rates = new Map<string, ReturnType<typeof openMessageRate>>()
  return (operator) => {
    const rate = rates.get(operator) ?? openMessageRate(REQUESTS)
    rates.delete(operator)
    rates.set(operator, rate)
    const [oldest] = rates.keys()
    if (rates.size > OPERATORS_MAX && oldest !== undefined) rates.delete(oldest)
    return rate
  }
}
