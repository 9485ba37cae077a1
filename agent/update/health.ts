import { start } from './transition.ts'
import type { AcceptedPlan, Commit, HealthChecks, HealthPolicy, Position, State, Step } from './types.ts'

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

/** What runs proved itself, and nothing was found against it since. */
function runsProven({ proven, booted }: State): boolean {
  const isRunning = proven !== null && proven.manifestDigest === booted.current?.manifestDigest
  return isRunning && proven.failedLater === undefined
}

/** Phases in which what runs is not being asked about: no other image has been booted yet, or none will be. */
function runsUntested({ phase }: Position): boolean {
  switch (phase) {
    case 'Idle':
    case 'Downloading':
    case 'Ready':
    case 'Staging':
    case 'Staged':
    case 'Activating':
    case 'Rebooting':
    case 'Failed':
      return true
    case 'Verifying':
    case 'Blessing':
    case 'Healthy':
    case 'RollingBack':
    case 'Judging':
    case 'RolledBack':
      return false
  }
}

/**
 * Of what runs now. Until the boot of another image that is the one that proved itself before; after a fallback
 * Failed is of the image that was left, until the checks of the one that came back have ended.
 */
export function verdictOnRunning(state: State): 'Unknown' | 'Passed' | 'Failed' {
  const { at } = state
  if (at.phase === 'Healthy') return 'Passed'
  if (at.phase === 'RolledBack' && at.running.kind !== 'Unknown') return at.running.kind
  if ('failure' in at && at.failure.failedChecks.length > 0) return 'Failed'
  return runsUntested(at) && runsProven(state) ? 'Passed' : 'Unknown'
}

/** What a later look at the image that runs says of it. */
export function lookedAgain(state: State, verdict: 'Passed' | 'Failed'): State {
  const { proven, booted } = state
  if (proven === null || proven.manifestDigest !== booted.current?.manifestDigest) return state
  const { failedLater: _before, ...rest } = proven
  return { ...state, proven: verdict === 'Passed' ? rest : { ...rest, failedLater: true } }
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
