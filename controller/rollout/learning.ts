import { learnVersion } from './barriers.ts'
import { denialOf } from './fleet-record.ts'
import { fleetOf, writeFleet } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Fleet, RolloutEngineState } from './state.ts'
import type { BlockingReason } from './states.ts'
import type { DeniedDigest, StableImage } from './records.ts'
import type { HostReport } from './report.ts'
import type { WantedFleet } from './wanted.ts'

/** How long hosts are waited for before a fleet that the store lost is granted anything. */
export const learnMs = 60_000

/**
 * A report that names a rollout of a fleet that is newer than what the store knows of: the store was lost, and what
 * hosts say is all there is. Their generations are taken over when the next rollout is planned.
 */
export function noticeLoss(state: RolloutEngineState, { plan }: HostReport): void {
  if (plan === null) return
  const name = plan.rollout.slice(0, plan.rollout.lastIndexOf('.'))
  const isKnown = (state.fleets.get(name)?.record.generation ?? 0) >= plan.generation
  if (name === '' || isKnown || plan.generation <= (state.seen.get(name) ?? 0)) return
  state.seen.set(name, plan.generation)
  if (!state.lost.has(name)) state.lost.set(name, state.openForMs)
}

/** Hosts refuse every plan of such a rollout: there must be a newer one. */
export function isBehindHosts(state: RolloutEngineState, { record }: Fleet): boolean {
  return record.generation < (state.seen.get(record.fleet) ?? 0)
}

/** Nothing is granted before the hosts were asked; one that never comes does not hold it up for long. */
export function blockOfLearning(state: RolloutEngineState, fleet: Fleet): BlockingReason | null {
  const sinceMs = state.lost.get(fleet.record.fleet)
  if (sinceMs !== undefined) return { kind: 'Learning', inMs: leftMs(state, sinceMs) }
  const inMs = timeToFirstReports(state, fleet)
  return inMs === null ? null : { kind: 'FirstReports', hosts: fleet.unheard, inMs }
}

/** A fleet without any rollout may be one that the store lost: whoever has not reported yet may know of denials. */
function timeToFirstReports(state: RolloutEngineState, { members, record, unheard }: Fleet): number | null {
  const isPartlyHeard = unheard > 0 && unheard < members.size
  const inMs = leftMs(state, 0)
  return record.generation === 0 && isPartlyHeard && inMs > 0 ? inMs : null
}

function leftMs(state: RolloutEngineState, sinceMs: number): number {
  return Math.max(0, sinceMs + learnMs - state.openForMs)
}

export function timeToLearn(state: RolloutEngineState): number | null {
  // A fleet that git does not want yet waits for git.
  const waits = [...state.lost.values()].map((sinceMs) => leftMs(state, sinceMs)).filter((wait) => wait > 0)
  for (const name of state.wanted?.keys() ?? []) {
    const wait = timeToFirstReports(state, fleetOf(state, name))
    if (wait !== null) waits.push(wait)
  }
  return waits.length === 0 ? null : Math.min(...waits)
}

/** Takes over what hosts of the fleet say was stable and denied, once all were heard or the wait is over. */
export function learnLost(state: RolloutEngineState, changes: Changes): void {
  for (const [name, sinceMs] of state.lost) {
    const wanted = state.wanted?.get(name)
    const fleet = state.fleets.get(name)
    // One without members has nobody to ask yet; who comes to it is asked at once.
    if (wanted === undefined || fleet === undefined || fleet.members.size === 0) continue
    const reports = reportsOf(state, fleet)
    const areAllHeard = state.knewHosts && reports.length === fleet.members.size
    if (leftMs(state, sinceMs) > 0 && !areAllHeard) continue
    state.lost.delete(name)
    const denied = deniedBy(fleet, reports, changes)
    const stable = stableOf(fleet, { wanted, denied, reports })
    learnVersion(state.versions, stable?.image ?? null)
    writeFleet(state, changes, { ...fleet.record, stable, denied: [...fleet.record.denied, ...denied] })
    changes.again = true
  }
}

function reportsOf(state: RolloutEngineState, fleet: Fleet): readonly HostReport[] {
  return [...fleet.members].toSorted().flatMap((id) => {
    const host = state.hosts.get(id)
    return host?.heard === true && host.record !== null ? [host.record.report] : []
  })
}

/** What a host failed with last is its own affair: the wave that it was in may have tolerated that. */
function deniedBy(fleet: Fleet, reports: readonly HostReport[], changes: Changes): readonly DeniedDigest[] {
  const told = reports.flatMap(({ deniedDigests, phase, targetDigest }) =>
    deniedDigests.filter((digest) => phase !== 'RolledBack' || digest !== targetDigest),
  )
  return [...new Set(told)]
    .filter((digest) => denialOf(fleet, digest) === null)
    .toSorted()
    .map((digest) => ({
      digest,
      reason: 'denied before the store was lost',
      atMs: changes.now.wallMs,
      origin: 'Host',
      actor: '',
    }))
}

/** What most of its hosts run that are not where git wants them; when all are there, the next rollout says so. */
function stableOf(
  fleet: Fleet,
  of: {
    readonly wanted: WantedFleet
    readonly denied: readonly DeniedDigest[]
    readonly reports: readonly HostReport[]
  },
): StableImage | null {
  const counts = new Map<string, HostReport[]>()
  for (const report of of.reports) {
    const { bootedDigest: digest, health, plan } = report
    const isOurs = plan?.rollout.startsWith(`${fleet.record.fleet}.`) === true
    const isDenied = of.denied.some((denial) => denial.digest === digest)
    if (digest === null || !isOurs || isDenied || health.verdict === 'Failed') continue
    if (digest !== of.wanted.image?.digest) counts.set(digest, [...(counts.get(digest) ?? []), report])
  }
  const [most] = [...counts].toSorted(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
  if (most === undefined || of.wanted.image === null) return null
  const [digest, reports] = most
  const manifests = reports.flatMap(({ architecture, bootedManifestDigest }) =>
    bootedManifestDigest === null ? [] : [[architecture, bootedManifestDigest] as const],
  )
  const { repository } = of.wanted.image
  const version = reports.find(({ bootedVersion }) => bootedVersion !== '')?.bootedVersion ?? ''
  const image = { repository, digest, version, manifests: Object.fromEntries(manifests) }
  return { revision: '', rolloutId: '', image }
}
