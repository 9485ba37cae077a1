import type { MessageInitShape } from '@bufbuild/protobuf'
import type { TraceResponseSchema, WhyResponseSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { ControllerError } from '../errors.ts'
import { findFleet, findHost } from '../orders/targets.ts'
import { traceFleet, traceHost } from '../rollout/trace.ts'
import type { Hop } from '../rollout/trace.ts'
import { whyHost } from '../rollout/why.ts'
import { nowOf } from './status-view.ts'
import type { Snapshot } from './status-view.ts'

/** @throws ControllerError NotFound. */
export function whyOf(snapshot: Snapshot, name: string): MessageInitShape<typeof WhyResponseSchema> {
  const host = findHost(snapshot.state, name)
  const { evidence, sinceMs, ...why } = whyHost(snapshot.state, host, nowOf(snapshot))
  // Only the connections know since when nobody heard of it.
  const since = why.reason === 'Unreachable' ? snapshot.presenceOf(host.id).lastSeenAtMs : sinceMs
  return { ...why, evidence: [...evidence], sinceMs: BigInt(Math.trunc(since)) }
}

/** @throws ControllerError NotFound, RequestInvalid. */
export function traceOf(
  snapshot: Snapshot,
  { host, fleet }: { readonly host: string; readonly fleet: string },
): MessageInitShape<typeof TraceResponseSchema> {
  if ((host === '') === (fleet === '')) {
    throw new ControllerError('RequestInvalid', 'tracing: name either a host or a fleet')
  }
  const { state } = snapshot
  const hops =
    host === ''
      ? traceFleet(state, findFleet(state, fleet), nowOf(snapshot))
      : traceHost(state, findHost(state, host), nowOf(snapshot))
  return { hops: hops.map((hop) => ({ ...signed(hop, snapshot), atMs: BigInt(Math.trunc(hop.atMs)) })) }
}

/** The engine knows commits by their hash alone. */
function signed(hop: Hop, { signerOf }: Snapshot): Hop {
  const signer = hop.kind === 'Commit' ? signerOf(hop.name) : ''
  return signer === '' ? hop : { ...hop, message: `${hop.message}, signed by ${signer}` }
}
