import type { LocalMove } from './report.ts'
import type { Host, RolloutEngineState } from './state.ts'

/** The one fleet that selects it, whether or not its rollouts have it; see {@link partOf}. */
export function ownerOf(host: Host): string | null {
  return host.owners.length === 1 ? (host.owners[0] as string) : null
}

/** The fleet whose rollouts have it, and count it: none has a host that only reports. */
export function partOf(host: Host): string | null {
  return isReportOnly(host) ? null : ownerOf(host)
}

export function isReportOnly({ record }: Host): boolean {
  return record?.report.reportOnly !== undefined
}

/** What a person on it made boot, until an operator lets it go on; null: nothing. */
export function moveOf({ record }: Pick<Host, 'record'>): LocalMove | null {
  const move = record?.report.localMove
  return move === undefined || move.id === record?.resumed?.moveId ? null : move
}

/** Its turn does not come: git says so or lacks a word that it needs, or a person on it chose what it boots. */
export function isHeld(host: Pick<Host, 'hold' | 'record' | 'unguarded'>): boolean {
  return host.hold !== null || host.unguarded || moveOf(host) !== null
}

export const noLabels: Readonly<Record<string, string>> = {}

/** Labels that git declares of a host win over those of its enrolment. */
export function labelsOf(state: RolloutEngineState, host: Host): Readonly<Record<string, string>> {
  const declared = state.declarations.get(nameOf(host))?.labels
  const labels = host.enrolment?.labels ?? noLabels
  return declared === undefined ? labels : { ...labels, ...declared }
}

export function nameOf(host: Host): string {
  return host.enrolment?.name ?? host.id
}
