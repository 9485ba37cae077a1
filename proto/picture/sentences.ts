import type {
  AnalysisStatus,
  FleetStatus,
  HostInRollout,
  HostStatus,
  RolloutStatus,
  SourceStatus,
  VerbRecord,
  WaveStatus,
} from '../gen/bootfleet/v1/operator_pb.ts'
import { conditionsBesideMessage, conditionsNamed } from './conditions.ts'
import { runningWord, systemFacts } from './running.ts'
import { bytesWord, clockWord, imageWord, shortHash, spanWord } from './words.ts'

export function imagesWords(fleet: FleetStatus): string {
  const wanted = `wants ${imageWord(fleet.version, fleet.digest)}`
  if (fleet.stableDigest === '' || fleet.stableDigest === fleet.digest) return wanted
  return `${wanted}, stable is ${imageWord(fleet.stableVersion, fleet.stableDigest)}`
}

/** `from → to`. */
export function changeWords(rollout: RolloutStatus): string {
  const from = rollout.fromDigest === '' ? '' : `${imageWord(rollout.fromVersion, rollout.fromDigest)} → `
  return `${from}${imageWord(rollout.version, rollout.digest)}`
}

export function attentionWords({ message, evidence, doneBytes, totalBytes }: HostInRollout): string {
  const isPulling = totalBytes > 0n && doneBytes < totalBytes
  const pulled = isPulling ? ` (${bytesWord(doneBytes)} of ${bytesWord(totalBytes)})` : ''
  return `${message}${pulled}${evidence === '' ? '' : ` · ${evidence}`}`
}

export function byWords({ actor, reason }: VerbRecord): string {
  const who = `by ${actor.replace(/^operator\//, '')}`
  return reason === '' ? who : `${who}: "${reason}"`
}

/** What people ordered, newest first. */
export function ordersOf(fleet: FleetStatus): readonly VerbRecord[] {
  return [...fleet.log, ...(fleet.rollout?.log ?? [])].toSorted((a, b) => Number(b.atMs - a.atMs))
}

/** What a host is about, beside its phase. */
export function hostWords(host: HostStatus): string {
  const isPulling = host.totalBytes > 0n && host.doneBytes < host.totalBytes
  const parts = [
    ...conditionsBesideMessage(host),
    ...(isPulling ? [`${bytesWord(host.doneBytes)} of ${bytesWord(host.totalBytes)}`] : []),
    ...(host.message === '' ? [] : [host.message]),
  ]
  return parts.join('; ')
}

/** What the gate of a wave still asks. */
export function gateWords(wave: WaveStatus, nowMs: number): readonly string[] {
  if (wave.state === 'Pending' || wave.state === 'Succeeded') return []
  const { approval, promoted, windowOpensAtMs, soakMs, soakedMs } = wave
  const opensAtMs = Number(windowOpensAtMs)
  return [
    ...(opensAtMs === 0 ? [] : [`window opens ${dayWord(opensAtMs)}, in ${spanWord(opensAtMs - nowMs)}`]),
    ...(soakMs === 0n ? [] : [`soaked ${spanWord(Number(soakedMs))} of ${spanWord(Number(soakMs))}`]),
    ...wave.analyses.map(analysisWords),
    ...(approval === undefined
      ? []
      : [
          `approved by ${approval.approvals.length} of ${approval.approvers}`,
          ...approval.approvals.map(byWords),
          ...(approval.expiresAtMs === 0n
            ? []
            : [`approval expires ${dayWord(Number(approval.expiresAtMs))}`]),
        ]),
    ...(promoted === undefined ? [] : [`promoted ${byWords(promoted)}`]),
  ]
}

function analysisWords({ name, outcome, detail, failed, failureLimit }: AnalysisStatus): string {
  if (outcome === '') return `analysis ${name}: not measured yet`
  return `analysis ${name}: ${outcome} (${detail}), failed ${failed} of at most ${failureLimit}`
}

function dayWord(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 10)} ${clockWord(ms)}`
}

/** What a host is, name and value, without what is empty. */
export function factsOf(host: HostStatus): readonly (readonly [string, string])[] {
  const labels = Object.entries(host.labels)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
  const facts: readonly (readonly [string, string])[] = [
    ['booted', runningWord(host)],
    ...systemFacts(host),
    ['health', host.health],
    ['connected', host.connected ? 'yes' : 'no'],
    ['last seen', host.lastSeenAtMs === 0n ? '' : new Date(Number(host.lastSeenAtMs)).toISOString()],
    ['conditions', conditionsNamed(host)],
    ['boots next', host.defaultDigest === host.bootedDigest ? '' : host.defaultDigest],
    ['refused plan', host.refusedPlan],
    ['denied', host.deniedDigests.join(', ')],
    ['kernel', host.kernelLine.map(({ argument, source }) => `${argument} (${source})`).join(', ')],
    ['/etc conflict', host.etcConflicts.join(', ')],
    ['labels', labels.join(', ')],
    ['architecture', host.architecture],
    ['host id', host.hostId],
  ]
  return facts.filter(([, value]) => value !== '')
}

/** All of them, also of a controller that tells only of one. */
export function sourcesOf(
  status:
    { readonly source?: SourceStatus | undefined; readonly sources: readonly SourceStatus[] } | undefined,
): readonly SourceStatus[] {
  if (status === undefined) return []
  if (status.sources.length > 0) return status.sources
  return status.source === undefined ? [] : [status.source]
}

/** A commit that is rejected, or a source that cannot be read: new wishes do not arrive, whatever the fleets say. */
export function troubleWords({ name, url, rejection, error }: SourceStatus): readonly string[] {
  const of = name === '' ? url : name
  return [
    ...(rejection === undefined
      ? []
      : [`commit ${shortHash(rejection.commit)} of ${of} is rejected: ${rejection.issues[0] ?? ''}`]),
    ...(error === '' ? [] : [`source ${of}: ${error}`]),
  ]
}
