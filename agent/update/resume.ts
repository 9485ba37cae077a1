import type { Commit, Found, HostFacts, StartedEvent, State } from './types.ts'

/** Facts of a host that has no readable state: what runs is taken as it is. */
export function initialState(facts: HostFacts, nowMs: number): State {
  return {
    version: 1,
    accepted: null,
    at: { phase: 'Idle' },
    phaseEnteredAtMs: nowMs,
    booted: { bootId: facts.bootId, current: facts.current },
    deniedDigests: [],
    operation: 0,
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
  const sameBoot = facts.bootId === booted.bootId
  switch (at.phase) {
    case 'Activating':
    case 'Rebooting':
      if (sameBoot) return isDefault(facts, at.commit.targetDeploymentId) ? 'Committed' : 'Unmoved'
      if (isCurrent(facts, at.commit.targetDeploymentId)) return 'TargetBooted'
      // A power cut before the default was durable is no fallback: nothing had changed yet.
      return at.phase === 'Activating' && !isDefault(facts, at.commit.targetDeploymentId)
        ? 'Unmoved'
        : 'FellBack'
    case 'Verifying':
      if (at.commit === null || sameBoot) return 'Unmoved'
      return isCurrent(facts, at.commit.targetDeploymentId) ? 'TargetBooted' : 'FellBack'
    case 'RollingBack':
      return findRollback(at.commit, facts)
    case 'Idle':
    case 'Downloading':
    case 'Ready':
    case 'Staging':
    case 'Staged':
    case 'Healthy':
    case 'Failed':
    case 'RolledBack':
      return 'Unmoved'
  }
}

/** Both pointers count: a default that was not set back would boot the bad one again. */
function findRollback(commit: Commit, facts: HostFacts): Found {
  return isDefault(facts, commit.previousDeploymentId) ? 'Restored' : 'Unmoved'
}

function isDefault(facts: HostFacts, deploymentId: string): boolean {
  return facts.default?.deploymentId === deploymentId
}

function isCurrent(facts: HostFacts, deploymentId: string): boolean {
  return facts.current?.deploymentId === deploymentId
}
