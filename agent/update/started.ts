import { abandon, advance } from './advance.ts'
import { restored, rollBack } from './fall-back.ts'
import { redo } from './redo.ts'
import { targetBooted } from './results.ts'
import { deny, enter, runs, start, stay } from './transition.ts'
import type {
  Commit,
  Committing,
  HostFacts,
  Position,
  StartedEvent,
  State,
  Step,
  Verifying,
} from './types.ts'

/** Go on from whatever the host was found in; see `resume`. */
export function onStarted(before: State, { facts, found }: StartedEvent, nowMs: number): Step {
  const state = observe(before, facts)
  const { at } = state
  switch (at.phase) {
    case 'Idle':
    case 'Ready':
    case 'Failed':
    case 'RolledBack':
      return advance(state, nowMs)
    case 'Healthy':
      return advance(runs(state, at.plan) ? state : enter(state, { phase: 'Idle' }, nowMs), nowMs)
    case 'Downloading':
    case 'Staging':
      return redo(state, nowMs)
    case 'Staged': {
      const there = facts.deployments.some(({ deploymentId }) => deploymentId === at.targetDeploymentId)
      return there ? advance(state, nowMs) : abandon(state, nowMs)
    }
    case 'Activating':
    case 'Rebooting':
      return foundCommitting(state, at, { facts, found }, nowMs)
    case 'Verifying':
      return foundVerifying(state, at, { facts, found }, nowMs)
    case 'RollingBack':
      return found === 'Restored' ? restored(state, at, nowMs) : redo(state, nowMs)
  }
}

/** Take over what runs now; a boot seen past the commit point is counted. */
function observe(state: State, facts: HostFacts): State {
  const booted = { bootId: facts.bootId, current: facts.current }
  const seen = { ...state, booted }
  if (facts.bootId === state.booted.bootId || !('commit' in state.at) || state.at.commit === null) return seen
  const commit = { ...state.at.commit, rebootsUsed: state.at.commit.rebootsUsed + 1 }
  return { ...seen, at: { ...state.at, commit } as Position }
}

type Finding = Pick<StartedEvent, 'facts' | 'found'>

function foundCommitting(state: State, at: Committing, { facts, found }: Finding, nowMs: number): Step {
  const { plan, commit } = at
  switch (found) {
    case 'TargetBooted':
      return targetBooted(state, at, commit, nowMs)
    case 'FellBack':
      return fellBack(state, { plan, commit }, facts, nowMs)
    case 'Committed':
    case 'Restored':
      return start(enter(state, { ...at, phase: 'Rebooting' }, nowMs), { kind: 'reboot' })
    case 'Unmoved': {
      // Nothing boots differently yet, so the grant is asked for again.
      const { targetDeploymentId } = commit
      return advance(enter(state, { phase: 'Staged', plan, targetDeploymentId }, nowMs), nowMs)
    }
  }
}

function foundVerifying(state: State, at: Verifying, { facts, found }: Finding, nowMs: number): Step {
  if (at.commit === null) return runs(state, at.plan) ? redo(state, nowMs) : abandon(state, nowMs)
  if (found === 'TargetBooted') return targetBooted(state, at, at.commit, nowMs)
  if (found === 'FellBack') return fellBack(state, { ...at, commit: at.commit }, facts, nowMs)
  return redo(state, nowMs)
}

type Fallen = Pick<Committing, 'plan'> & { readonly commit: Commit }

/** Something else than the target came up: what is booted wins, and the default is set to it. */
function fellBack(before: State, { plan, commit }: Fallen, facts: HostFacts, nowMs: number): Step {
  const state = deny(before, [plan.image.digest])
  const found = facts.current?.deploymentId ?? 'a root that is no deployment'
  const message = `booting ${commit.targetDeploymentId}: ${found} came up instead`
  const failure = { code: 'BootedOther', message, failedChecks: [] }
  if (facts.current === null) return stay(enter(state, { phase: 'Failed', plan, failure }, nowMs))
  const landed = { ...commit, previousDeploymentId: facts.current.deploymentId }
  if (facts.default?.deploymentId !== facts.current.deploymentId) {
    return rollBack(state, { plan, commit: landed, failure }, nowMs)
  }
  return advance(enter(state, { phase: 'RolledBack', plan, failure }, nowMs), nowMs)
}
