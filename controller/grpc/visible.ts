import type {
  HostStatus,
  RolloutStatus,
  SourceStatus,
  Status,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Viewer } from './permit.ts'

type Sources = { readonly source?: SourceStatus; readonly sources: SourceStatus[] }
type GivenSources = { readonly source?: SourceStatus | undefined; readonly sources: SourceStatus[] }

/** Of what is, the part that an operator may see; a host without a fleet is for those who may see everything. */
export function visibleStatus(status: Status, viewer: Viewer): Status {
  if (viewer.seesEverything()) return status
  const { source, sources } = visibleSources(status, viewer)
  return {
    ...status,
    ...(source === undefined ? {} : { source }),
    sources,
    fleets: status.fleets.filter(({ name }) => viewer.sees(name)),
  }
}

export function visibleHosts(hosts: readonly HostStatus[], viewer: Viewer): HostStatus[] {
  return hosts.filter(({ fleet }) => viewer.sees(fleet))
}

export function visibleRollouts(rollouts: readonly RolloutStatus[], viewer: Viewer): RolloutStatus[] {
  return rollouts.filter(({ fleet }) => viewer.sees(fleet))
}

/** Sentences about a source quote files of any fleet, so only that there are some is told. */
export function visibleSources({ source, sources }: GivenSources, viewer: Viewer): Sources {
  const shown = viewer.seesEverything() ? (each: SourceStatus): SourceStatus => each : withheld
  return { sources: sources.map(shown), ...(source === undefined ? {} : { source: shown(source) }) }
}

function withheld(source: SourceStatus): SourceStatus {
  const why = 'who may see every fleet is told why'
  const { rejection } = source
  return {
    ...source,
    waiting: [],
    error: source.error === '' ? '' : `it cannot be read in full; ${why}`,
    acceptedSubject: '',
    ...(rejection === undefined ? {} : { rejection: { ...rejection, issues: [`it is refused; ${why}`] } }),
  }
}
