import { areSameArguments } from './given-arguments.ts'
import { isReportOnly, nameOf } from './host-names.ts'
import type { GrantRecord } from './records.ts'
import type { Host, RolloutEngineState } from './state.ts'

const noArguments: readonly string[] = []

/**
 * Whether a plan may name any. An agent from before says nothing of them, and cannot read a plan that does; nor does
 * one say anything whose boot loader takes none.
 */
export function takesArguments({ record }: Pick<Host, 'record'>): boolean {
  return record?.report.kernelArguments !== undefined
}

function declaredFor(state: RolloutEngineState, host: Host): readonly string[] {
  return state.declarations.get(nameOf(host))?.kernelArguments ?? noArguments
}

/** Those in git, of a host that can be given them. */
export function argumentsFor(state: RolloutEngineState, host: Host): readonly string[] {
  return takesArguments(host) ? declaredFor(state, host) : noArguments
}

/** Behind whatever else is said of the host; empty where it is given all that git wants. */
export function untakenArguments(state: RolloutEngineState, host: Host): string {
  if (host.record === null || isReportOnly(host) || takesArguments(host)) return ''
  if (declaredFor(state, host).length === 0) return ''
  return '; it is given no kernelArguments of those in git: its agent is too old for them, or its boot loader takes none'
}

/** Git wants others since the attempt began; what came of it says nothing of these. */
export function wantsOthers(
  host: { readonly kernelArguments: readonly string[] },
  { kernelArguments = [] }: GrantRecord,
): boolean {
  return !areSameArguments(kernelArguments, host.kernelArguments)
}

/**
 * What failed with other arguments is tried again by itself. Not because an agent that came back with a fallback takes
 * none any more: with it, nothing would ever end.
 */
export function isFreed(host: Host, grant: GrantRecord): boolean {
  return takesArguments(host) && wantsOthers(host, grant)
}
