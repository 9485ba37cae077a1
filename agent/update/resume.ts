import type { HostFacts } from './facts.ts'
import type { Commit, Found, StartedEvent, State } from './types.ts'

/** Facts of a host that has no readable state: what runs is taken as it is. */
export function initialState(facts: Omit<HostFacts, 'evidence'>, nowMs: number): State {
  return {
    version: 1,
    accepted: null,
    at: { phase: 'Idle' },
    phaseEnteredAtMs: nowMs,
    booted: { bootId: facts.bootId, current: facts.current, default: facts.default },
    proven: null,
    reachableAtMs: null,
    etcConflicts: [],
    deniedDigests: [],
    operation: 0,
    ...(facts.moved !== undefined && { firstMove: facts.moved.id }),
  }
}

/**
 * The first event after a start of the process, whatever ended the one before: compares the state on disk,
 * which may be one effect behind, with what the host really boots and runs.
 */
export function resume(state: State, facts: HostFacts): StartedEvent {
  return { kind: 'started', facts, found: find(state, facts) }
}

function find({ at, booted }: State, facts: HostFacts): Found {
  const newBoot = facts.bootId !== booted.bootId
  if (!('commit' in at)) return 'Unmoved'
  switch (at.phase) {
    case 'Activating':
      return findActivation(at.commit, facts, newBoot)
    case 'Rebooting':
      return findReboot(at.commit, facts, newBoot)
    case 'Verifying':
    case 'Blessing':
      return findVerifying(at.commit, facts, newBoot)
    case 'RollingBack':
      return findRollback(at.commit, facts)
  }
}

function findActivation(commit: Commit, facts: HostFacts, newBoot: boolean): Found {
  if (newBoot && isCurrent(facts, commit.targetDeploymentId)) return 'TargetBooted'
  // It was tried, and what came up instead has noticed before us.
  if (newBoot && isBad(facts, commit.targetDeploymentId)) return 'FellBack'
  // A power cut before the default was durable is no fallback: nothing had changed yet.
  if (!isDefault(facts, commit.targetDeploymentId)) return 'Unmoved'
  return newBoot ? 'FellBack' : 'Committed'
}

function findReboot(commit: Commit, facts: HostFacts, newBoot: boolean): Found {
  return newBoot ? findBoot(commit, facts) : findActivation(commit, facts, newBoot)
}

function findVerifying(commit: Commit | null, facts: HostFacts, newBoot: boolean): Found {
  return newBoot && commit !== null ? findBoot(commit, facts) : 'Unmoved'
}

/** Both must be the previous one again: a default that was set back may not be all of the way back. */
function findRollback({ previousDeploymentId: id }: Commit, facts: HostFacts): Found {
  return isDefault(facts, id) && isCurrent(facts, id) ? 'Restored' : 'Unmoved'
}

function findBoot(commit: Commit, facts: HostFacts): Found {
  return isCurrent(facts, commit.targetDeploymentId) ? 'TargetBooted' : 'FellBack'
}

function isDefault(facts: HostFacts, deploymentId: string): boolean {
  return facts.default?.deploymentId === deploymentId
}

function isBad(facts: HostFacts, deploymentId: string): boolean {
  return facts.deployments.some((known) => known.deploymentId === deploymentId && known.bad !== null)
}

function isCurrent(facts: HostFacts, deploymentId: string): boolean {
  return facts.current?.deploymentId === deploymentId
}
