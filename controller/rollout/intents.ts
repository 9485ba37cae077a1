import { imageOf } from './needs.ts'
import { isEnded } from './phases.ts'
import { fleetOf } from './state.ts'
import type { Host, RolloutEngineState } from './state.ts'
import type { GrantRecord, PlanIntent } from './types.ts'

/** What the host's plan must say now; null for a host that was never granted anything. */
export function intentOf(state: RolloutEngineState, host: Host): PlanIntent | null {
  const grant = governingGrant(host)
  const rollout = grant && state.rollouts.get(grant.rolloutId)?.record
  if (!grant || !rollout) return null
  const image = imageOf(rollout, grant.direction)
  const architecture = host.record?.report.architecture ?? ''
  return {
    hostId: host.id,
    fleet: rollout.fleet,
    rollout: rollout.id,
    generation: grant.generation,
    attempt: grant.attempt,
    image: {
      repository: image.repository,
      digest: image.digest,
      manifestDigest: image.manifests[architecture] ?? image.digest,
      version: image.version,
    },
    stageUntilMs: grant.stageUntilMs,
    activateUntilMs: grant.activateUntilMs,
    health: { ...rollout.strategy.health, deadlineMs: rollout.strategy.deadlines.healthMs },
    deny: fleetOf(state, rollout.fleet).record.denied.map((denied) => denied.digest),
    commit: rollout.commit,
  }
}

/** The step that is under way; between steps the last one, whose plan then grants nothing. */
function governingGrant(host: Host): GrantRecord | null {
  const grants = [...host.grants.values()]
  const running = grants.find((grant) => !isEnded(grant.phase))
  return (
    running ??
    grants.toSorted((a, b) => b.grantedAtMs - a.grantedAtMs || b.generation - a.generation)[0] ??
    null
  )
}
