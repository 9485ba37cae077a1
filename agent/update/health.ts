import { start } from './transition.ts'
import type { AcceptedPlan, Commit, HealthChecks, HealthPolicy, State, Step } from './types.ts'

/** The network must have been there shortly before, or losing it proves nothing. */
const REACHABLE_WITHIN_MS = 15 * 60 * 1000

/** The check whose failure may be somebody else's fault. */
export const REACH_CONTROLLER = 'reachController'

/** Only whether the network is there. */
export const NETWORK_ALONE: HealthChecks = {
  units: [],
  http: [],
  checks: [],
  greenboot: false,
  reachController: true,
}

/** What is recorded at the commit point; null where a lost network could not be blamed on the image. */
export function reachableAt({ reachableAtMs }: State, nowMs: number): number | null {
  if (reachableAtMs === null) return null
  return Math.abs(nowMs - reachableAtMs) <= REACHABLE_WITHIN_MS ? reachableAtMs : null
}

/** Without an activation, or without a network before it, the network is not the image's to lose. */
export function checksOf(policy: HealthPolicy, commit: Commit | null): HealthChecks {
  const { units, http, checks, greenboot, reachController } = policy
  const answers = reachController && commit !== null && commit.reachableAtMs !== null
  return { units, http, checks, greenboot, reachController: answers }
}

/** What the image that runs was proven by; where nothing is known of that, what was asked of the one that failed. */
export function policyOfRunning({ proven, booted }: State, failed: HealthPolicy): HealthPolicy {
  return proven !== null && proven.manifestDigest === booted.current?.manifestDigest ? proven.health : failed
}

type Run = { readonly health: HealthChecks; readonly stableForMs: number; readonly deadlineMs: number }

/** Of the plan, only where its image comes from: that registry is one of those that may answer. */
export function startChecks(state: State, { image }: AcceptedPlan, run: Run): Step {
  const { health, stableForMs, deadlineMs } = run
  const { repository } = image
  return start(state, { kind: 'checkHealth', health, repository, stableForMs, deadlineMs })
}
