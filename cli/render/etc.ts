import type { HostEtcChanges, HostStatus } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { timeWord } from './words.ts'

export type EtcShown = 'counted' | 'listed'

type Fact = readonly [name: string, value: string]

/** What the host did to the /etc of its image. Counted, it is said only where there is something to count. */
export function etcFacts(host: HostStatus, shown: EtcShown): Fact[] {
  const { etcChanges: etc } = host
  if (shown === 'counted') return etc === undefined || countOf(etc) === 0 ? [] : [['/etc:', counted(etc)]]
  if (host.reportOnly !== undefined) return [['/etc:', 'not known: the host only reports what it runs']]
  if (etc === undefined) return [['/etc:', UNTOLD]]
  if (etc.takenAtMs === 0n) return [['/etc:', AWAITED]]
  const taken = `looked at ${timeWord(etc.takenAtMs)} by the host's clock`
  if (etc.problem !== '') return [['/etc:', `not known: ${etc.problem} (${taken})`]]
  if (countOf(etc) === 0) return [['/etc:', `as the image has it (${taken})`]]
  return [
    ['/etc:', `${differWord(countOf(etc))} from the image that runs (${taken})`],
    ...etc.changes.map(({ kind, path }): Fact => [`/etc ${kind}:`, path]),
    ...(etc.more === 0 ? [] : [rest(etc.more)]),
  ]
}

const UNTOLD = 'not known: the host has not reported it, and agents of before this was looked at never do'
const AWAITED = 'not known yet: its agent has not looked since the host booted or the agent started'

function counted(etc: HostEtcChanges): string {
  return `${differWord(countOf(etc))} from the image that runs; --etc lists them`
}

function rest(more: number): Fact {
  return [
    '/etc:',
    `and ${more} more, which the host did not name: \`container-snap etc-diff\` there lists all`,
  ]
}

function countOf({ changes, more }: HostEtcChanges): number {
  return changes.length + more
}

function differWord(count: number): string {
  return count === 1 ? '1 file differs' : `${count} files differ`
}
