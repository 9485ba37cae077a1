import { create, fromJson, toJson } from '@bufbuild/protobuf'
import type { JsonValue } from '@bufbuild/protobuf'
import {
  ListHostsResponseSchema,
  StatusSchema,
  TraceResponseSchema,
  WhyResponseSchema,
} from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import type {
  HostStatus,
  Status,
  TraceHop,
  WhyResponse,
} from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { cleanText } from '../../../proto/picture/clean-text.ts'
import type { AuditEntry } from '../../../proto/audit-entry.ts'

/** One line of the audit log, as far as a picture shows it. */
export type EventLine = Pick<
  AuditEntry,
  'actor' | 'at' | 'event' | 'fleet' | 'message' | 'outcome' | 'reason' | 'subject'
>

/** Everything that one place shows, at one moment. */
export type Reading = {
  /** Whom the controller took the reader for. */
  readonly operator: string
  readonly status: Status
  /** Worst first; not all of them where there are many. */
  readonly hosts: readonly HostStatus[]
  readonly hostsTotal: number
  /** Null where no host is looked at. */
  readonly why: WhyResponse | null
  readonly hops: readonly TraceHop[]
  /** Newest first. */
  readonly events: readonly EventLine[]
}

export function encodeReading({ operator, status, hosts, hostsTotal, why, hops, events }: Reading): string {
  return JSON.stringify({
    operator,
    status: toJson(StatusSchema, status),
    hosts: toJson(ListHostsResponseSchema, create(ListHostsResponseSchema, { hosts: [...hosts] })),
    hostsTotal,
    why: why === null ? null : toJson(WhyResponseSchema, why),
    trace: toJson(TraceResponseSchema, create(TraceResponseSchema, { hops: [...hops] })),
    events,
  })
}

/** @throws Error of what is no reading. */
export function decodeReading(text: string): Reading {
  // Nothing that a host or a commit says may hide what follows, or turn the direction of writing.
  const cleaned = (_key: string, value: unknown): unknown =>
    typeof value === 'string' ? cleanText(value) : value
  const told = JSON.parse(text, cleaned) as Readonly<Record<string, JsonValue>>
  // A page that stayed open while the controller was upgraded meets fields that it does not know.
  const lenient = { ignoreUnknownFields: true }
  const { hosts } = fromJson(ListHostsResponseSchema, told['hosts'] ?? {}, lenient)
  const { hops } = fromJson(TraceResponseSchema, told['trace'] ?? {}, lenient)
  const why = told['why'] ?? null
  return {
    operator: told['operator'] as string,
    status: fromJson(StatusSchema, told['status'] ?? {}, lenient),
    hosts,
    hostsTotal: told['hostsTotal'] as number,
    why: why === null ? null : fromJson(WhyResponseSchema, why, lenient),
    hops,
    events: told['events'] as unknown as readonly EventLine[],
  }
}
