import { takesArguments } from './kernel-arguments.ts'
import { targetOf } from './needs.ts'
import { ownerOf } from './host-names.ts'
import { permitsFor } from './permits.ts'
import { isEnded } from './phases.ts'
import { signaturesOf } from './signatures.ts'
import { fleetOf } from './state-entries.ts'
import type { Host, RolloutEngineState } from './state.ts'
import type { GrantRecord } from './records.ts'
import type { PlanIntent } from './decision.ts'

/** What the host's plan must say now; null for a host that was never granted anything. */
export function intentOf(state: RolloutEngineState, host: Host): PlanIntent | null {
  const grant = governingGrant(state, host)
  const rollout = grant && state.rollouts.get(grant.rolloutId)?.record
  if (!grant || !rollout) return null
  const image = targetOf(rollout, grant)
  const { allowed, denied } = fleetOf(state, rollout.fleet).record
  // Until git is read, a new leader must not take back what hosts are held to.
  const { lint = 'Off', permits = [] } = state.wanted?.get(rollout.fleet) ?? rollout
  const architecture = host.record?.report.architecture ?? ''
  const named = {
    repository: image.repository,
    digest: image.digest,
    manifestDigest: image.manifests[architecture] ?? image.digest,
    version: image.version,
    ...signaturesOf(state, rollout.fleet, image),
  }
  return {
    hostId: host.id,
    fleet: rollout.fleet,
    rollout: rollout.id,
    generation: grant.generation,
    attempt: grant.attempt,
    image: named,
    stageUntilMs: grant.stageUntilMs,
    activateUntilMs: grant.activateUntilMs,
    health: { ...rollout.strategy.health, deadlineMs: rollout.strategy.deadlines.healthMs },
    deny: denied.map(({ digest }) => digest),
    // An order to try again is one to take the image although the host fell back from it.
    allow: grant.retried === null ? allowed : [...allowed, image.digest],
    lint,
    ...argumentsOf(host, grant),
    ...permitsFor(permits, { hostId: host.id, image: named }),
    ...resumedMove(host),
    commit: rollout.commit,
  }
}

/** Of an attempt that brought an agent from before, that agent must read the plan. */
function argumentsOf(host: Host, { kernelArguments }: GrantRecord): Pick<PlanIntent, 'kernelArguments'> {
  return kernelArguments !== undefined && takesArguments(host) ? { kernelArguments } : {}
}

/** Only while it is the one that the host speaks of: a host from before it was known refuses what it does not know. */
function resumedMove({ record }: Host): Pick<PlanIntent, 'resumed'> {
  const moveId = record?.report.localMove?.id
  return moveId !== undefined && moveId === record?.resumed?.moveId ? { resumed: moveId } : {}
}

/**
 * The step that is under way; between steps the last one, whose plan then grants nothing. A step that was replaced
 * past its commit point is finished without us: what the host is to do next counts. Generations of two fleets say
 * nothing of each other, so of two that are equally old its own fleet's counts.
 */
function governingGrant(state: RolloutEngineState, host: Host): GrantRecord | null {
  const owner = ownerOf(host)
  const isOwn = ({ rolloutId }: GrantRecord): number =>
    Number(state.rollouts.get(rolloutId)?.record.fleet === owner)
  const isRunning = ({ phase }: GrantRecord): number => Number(!isEnded(phase))
  const newest = [...host.grants.values()].toSorted(
    (a, b) =>
      isRunning(b) - isRunning(a) ||
      b.grantedAtMs - a.grantedAtMs ||
      isOwn(b) - isOwn(a) ||
      b.generation - a.generation,
  )
  return newest[0] ?? null
}
