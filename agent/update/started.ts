import { abandon, advance, finish } from './advance.ts'
import { restored, rollBack } from './fall-back.ts'
import { redo } from './redo.ts'
import { targetBooted } from './results.ts'
import { deny, enter, runs, start } from './transition.ts'
import type {
  AcceptedPlan,
  Commit,
  Committing,
  Found,
  HostFacts,
  Position,
  RollingBack,
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
      return foundHealthy(state, at.plan, nowMs)
    case 'Downloading':
    case 'Staging':
      return redo(state, at, nowMs)
    case 'Staged':
      return foundStaged(state, facts, at.targetDeploymentId, nowMs)
    case 'Activating':
    case 'Rebooting':
      return foundCommitting(state, at, { facts, found }, nowMs)
    case 'Verifying':
      return foundVerifying(state, at, { facts, found }, nowMs)
    case 'RollingBack':
      return foundRollingBack(state, at, found, nowMs)
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

/** A host that was moved by hand is not healthy any more; the plan decides what follows. */
function foundHealthy(state: State, plan: AcceptedPlan, nowMs: number): Step {
  return runs(state, plan) ? advance(state, nowMs) : abandon(state, nowMs)
}

function foundStaged(state: State, facts: HostFacts, targetDeploymentId: string, nowMs: number): Step {
  const there = facts.deployments.some(({ deploymentId }) => deploymentId === targetDeploymentId)
  return there ? advance(state, nowMs) : abandon(state, nowMs)
}

function foundRollingBack(state: State, at: RollingBack, found: Found, nowMs: number): Step {
  return found === 'Restored' ? restored(state, at, nowMs) : redo(state, at, nowMs)
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
  if (at.commit === null) return runs(state, at.plan) ? redo(state, at, nowMs) : abandon(state, nowMs)
  if (found === 'TargetBooted') return targetBooted(state, at, at.commit, nowMs)
  if (found === 'FellBack') return fellBack(state, { ...at, commit: at.commit }, facts, nowMs)
  return redo(state, at, nowMs)
}

type Fallen = Pick<Committing, 'plan'> & { readonly commit: Commit }

/** Something else than the target came up: what is booted wins, and the default is set to it. */
function fellBack(before: State, { plan, commit }: Fallen, facts: HostFacts, nowMs: number): Step {
  const state = deny(before, [plan.image.digest])
  const found = facts.current?.deploymentId ?? 'a root that is no deployment'
  const message = `booting ${commit.targetDeploymentId}: ${found} came up instead`
  const failure = { code: 'BootedOther', message, failedChecks: [] }
  if (facts.current === null) return finish(state, { phase: 'Failed', plan, failure }, nowMs)
  const landed = { ...commit, previousDeploymentId: facts.current.deploymentId }
  if (facts.default?.deploymentId !== facts.current.deploymentId) {
    return rollBack(state, { plan, commit: landed, failure }, nowMs)
  }
  return finish(state, { phase: 'RolledBack', plan, failure }, nowMs)
}
