import { bucketIndexOf } from './bucket-index.ts'
import { runsImage } from './evidence.ts'
import { imageOf } from './needs.ts'
import { rolloutSentence } from './rollout-views.ts'
import { phaseWord, shortDigest } from './sentences.ts'
import { currentRollout } from './state-entries.ts'
import { partOf } from './host-names.ts'
import type { Fleet, Host, Rollout, RolloutEngineState } from './state.ts'
import type { GrantRecord, VerbRecord } from './records.ts'
import type { HostReport } from './report.ts'
import type { Now } from './now.ts'
import type { ResolvedImage } from './wanted.ts'
import { describeWaves } from './wave-views.ts'

export type Hop = {
  readonly kind: 'Commit' | 'Digest' | 'Rollout' | 'Order' | 'Wave' | 'Grant' | 'Boot'
  readonly name: string
  readonly message: string
  /** 0: nobody wrote it down. */
  readonly atMs: number
  /** Empty when no person did it. */
  readonly actor: string
}

/** From the commit to what the host booted; it ends where nothing happened yet. */
export function traceHost(state: RolloutEngineState, host: Host, now: Now): readonly Hop[] {
  const rollout = rolloutOf(state, host)
  if (rollout === null) return bootHops(host, null)
  const grant = host.grants.get(rollout.record.id) ?? null
  const image =
    grant?.image ?? (grant === null ? rollout.record.image : imageOf(rollout.record, grant.direction))
  const index = bucketIndexOf(rollout, host)
  return [
    ...rolloutHops(state, { rollout, image }, now),
    ...waveHops(state, rollout, now).filter((_, wave) => wave === index),
    ...grantHops(grant),
    ...bootHops(host, image),
  ]
}

/** Where a fleet is: as for a host, with every wave, and hosts counted instead of named. */
export function traceFleet(state: RolloutEngineState, fleet: Fleet, now: Now): readonly Hop[] {
  const rollout = currentRollout(state, fleet)
  if (rollout === null) return orderHops(fleet.record.log)
  const { id, image } = rollout.record
  const members = [...fleet.members].map((member) => state.hosts.get(member) as Host)
  const granted = members.filter((host) => host.grants.has(id))
  const running = members.filter(({ record }) => record !== null && runsImage(record.report, image))
  const of = (count: number): string => `${count} of ${members.length} hosts`
  return [
    ...orderHops(fleet.record.log),
    ...rolloutHops(state, { rollout, image }, now),
    ...waveHops(state, rollout, now),
    hop('Grant', id, { message: `given to ${of(granted.length)}` }),
    hop('Boot', shortDigest(image.digest), { message: `${of(running.length)} run it` }),
  ]
}

/** The current one of its fleet, or the last one that granted it anything. */
function rolloutOf(state: RolloutEngineState, host: Host): Rollout | null {
  const fleet = state.fleets.get(partOf(host) ?? '')
  const current = fleet === undefined ? null : currentRollout(state, fleet)
  if (current !== null) return current
  const last = [...host.grants.values()].toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)[0]
  return (last && state.rollouts.get(last.rolloutId)) ?? null
}

function rolloutHops(
  state: RolloutEngineState,
  { rollout, image }: { readonly rollout: Rollout; readonly image: ResolvedImage },
  now: Now,
): readonly Hop[] {
  const { record } = rollout
  const version = image.version === '' ? 'an image without a version' : `version ${image.version}`
  const from = record.from === null ? '' : `, from ${shortDigest(record.from.image.digest)}`
  return [
    hop('Commit', record.commit, { message: `first wanted revision ${record.revision.slice(0, 12)}` }),
    hop('Digest', `${image.repository}@${image.digest}`, { message: version }),
    hop('Rollout', record.id, {
      message: `${record.state.kind}${from}: ${rolloutSentence(state, rollout, now)}`,
      atMs: record.startedAtMs,
    }),
    ...orderHops(record.log),
  ]
}

function orderHops(log: readonly VerbRecord[]): readonly Hop[] {
  return log.map(({ verb, reason, atMs, actor }) => hop('Order', verb, { message: reason, atMs, actor }))
}

function waveHops(state: RolloutEngineState, rollout: Rollout, now: Now): readonly Hop[] {
  const { waves } = rollout.record
  return describeWaves(state, rollout, now).map(({ name, message }, index) => {
    const passed = waves[index]?.promoted ?? waves[index]?.approved
    return hop('Wave', name, { message, atMs: passed?.atMs, actor: passed?.actor })
  })
}

function grantHops(grant: GrantRecord | null): readonly Hop[] {
  if (grant === null) return []
  const way = grant.direction === 'Back' ? ', back' : ''
  const said = grant.message === '' ? '' : `: ${grant.message}`
  const message = `${phaseWord(grant.phase)}${said}`
  return [hop('Grant', `attempt ${grant.attempt}${way}`, { message, atMs: grant.grantedAtMs })]
}

/** What runs, on the host's own evidence; without an image there is nothing to compare it with. */
function bootHops({ record }: Host, image: ResolvedImage | null): readonly Hop[] {
  if (record === null || record.report.bootId === '') return []
  const { report } = record
  const isIt = image === null || runsImage(report, image) ? '' : ', not that image'
  // Nothing is checked on a host that only reports.
  const health = report.reportOnly === undefined ? `; health ${report.health.verdict}` : ''
  const message = `runs ${runningName(report)}${isIt}${health}`
  return [hop('Boot', report.bootId, { message, atMs: record.receivedAtMs })]
}

function runningName({ bootedDigest, bootedManifestDigest, reportOnly }: HostReport): string {
  const digest = bootedDigest ?? bootedManifestDigest
  return digest ?? (reportOnly?.imageReference || reportOnly?.osName || 'an image that it cannot name')
}

function hop(
  kind: Hop['kind'],
  name: string,
  { message, atMs, actor }: { message: string; atMs?: number | undefined; actor?: string | undefined },
): Hop {
  return { kind, name, message, atMs: atMs ?? 0, actor: actor ?? '' }
}
