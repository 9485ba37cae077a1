import { create } from '@bufbuild/protobuf'
import { HostEtcChangesSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { HostStatus, ListHostsRequest } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { hostStatuses } from './status-view.ts'
import type { Snapshot } from './status-view.ts'

/** Of one host also what would make a list of ten thousand too large for a message. */
export function hostsAsked(snapshot: Snapshot, { fleet, host }: ListHostsRequest): HostStatus[] {
  const all = hostStatuses(snapshot, fleet)
  if (host === '') return all
  return all
    .filter(({ hostId, name }) => name === host || hostId === host)
    .map((status) => withEtc(snapshot, status))
}

function withEtc({ state }: Snapshot, status: HostStatus): HostStatus {
  const etc = state.hosts.get(status.hostId)?.record?.report.etcChanges
  if (etc === undefined) return status
  const { changes, takenAtMs, ...rest } = etc
  const named = changes.map((change) => ({ ...change }))
  const etcChanges = create(HostEtcChangesSchema, {
    ...rest,
    changes: named,
    takenAtMs: BigInt(Math.trunc(takenAtMs)),
  })
  return { ...status, etcChanges }
}
