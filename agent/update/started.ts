import { abandon, advance, finish } from './advance.ts'
import { checkRunning, probe, restored, rollBack, rolledBack } from './fall-back.ts'
import { proven } from './floor.ts'
import { left, noted } from './local-move.ts'
import { leftUntil, redo } from './redo.ts'
import { targetBooted } from './results.ts'
import { deny, enter, failureOf, runs, start } from './transition.ts'
import type { HostFacts } from './facts.ts'
import type {
  AcceptedPlan,
  Blessing,
  Commit,
  Committing,
  Judging,
  Position,
  RolledBack,
  RollingBack,
  StartedEvent,
  State,
  Step,
  Verifying,
} from './types.ts'

/** Go on from whatever the host was found in; see `resume`. */
export function onStarted(before: State, { facts, found }: StartedEvent, nowMs: number): Step {
  const state = noted(observe(before, facts), facts)
  const overtaken = left(before, state, nowMs)
  if (overtaken !== null) return overtaken
  const { at } = state
  if (isBack(at)) return foundBack(state, at, nowMs)
  switch (at.phase) {
    case 'Idle':
    case 'Ready':
    case 'Failed':
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
    case 'Blessing':
      return foundVerifying(state, at, { facts, found }, nowMs)
    case 'RollingBack':
      return foundRollingBack(state, at, { facts, found }, nowMs)
  }
}

/** Take over what runs now; a boot seen past the commit point is counted. */
function observe(state: State, facts: HostFacts): State {
  const booted = { bootId: facts.bootId, current: facts.current, default: facts.default }
  const seen = withFloor({ ...state, booted }, facts)
  if (facts.bootId === state.booted.bootId || !('commit' in state.at) || state.at.commit === null) return seen
  const commit = { ...state.at.commit, rebootsUsed: state.at.commit.rebootsUsed + 1 }
  return { ...seen, at: { ...state.at, commit } as Position }
}

/** The first of all is what ran before any plan, or what an activation under way would be taken back to. */
function withFloor(state: State, { current, deployments }: HostFacts): State {
  if (state.floors !== undefined) return state
  const { at } = state
  const commit = 'commit' in at ? at.commit : null
  const startId = commit?.previousDeploymentId ?? current?.deploymentId
  const start = deployments.find(({ deploymentId }) => deploymentId === startId)
  if (start === undefined || start.manifestDigest === null) return state
  const { manifestDigest, version = '' } = start
  return { ...state, floors: proven([], { manifestDigest, version }, '') }
}

/** A host that was moved by hand is not healthy any more; the plan decides what follows. */
function foundHealthy(state: State, plan: AcceptedPlan, nowMs: number): Step {
  return runs(state, plan) ? advance(state, nowMs) : abandon(state, nowMs)
}

function foundStaged(state: State, facts: HostFacts, targetDeploymentId: string, nowMs: number): Step {
  const there = facts.deployments.some(({ deploymentId }) => deploymentId === targetDeploymentId)
  return there ? advance(state, nowMs) : abandon(state, nowMs)
}

function isBack(at: Position): at is Judging | RolledBack {
  return at.phase === 'Judging' || at.phase === 'RolledBack'
}

/** The checks of the image that came back may not have ended. */
function foundBack(state: State, before: Judging | RolledBack, nowMs: number): Step {
  if (before.phase === 'Judging') {
    const { deadlineAtMs, plan } = before
    return probe(state, plan, leftUntil(deadlineAtMs, plan.health.deadlineMs, nowMs))
  }
  const advanced = advance(state, nowMs)
  const { at } = advanced.next
  return at.phase === 'RolledBack' && at.running.kind === 'Unknown'
    ? checkRunning(advanced.next, at)
    : advanced
}

/** What was seen of the boot that failed comes from the one after it. */
function foundRollingBack(state: State, before: RollingBack, { facts, found }: Finding, nowMs: number): Step {
  const at =
    facts.evidence.length === 0
      ? before
      : { ...before, failure: { ...before.failure, evidence: facts.evidence } }
  return found === 'Restored' ? restored(state, at, nowMs) : redo({ ...state, at }, at, nowMs)
}

type Finding = Pick<StartedEvent, 'facts' | 'found'>

function foundCommitting(state: State, at: Committing, { facts, found }: Finding, nowMs: number): Step {
  const { plan, commit } = at
  switch (found) {
    case 'TargetBooted':
      return targetBooted(state, plan, commit, nowMs)
    case 'FellBack':
      return fellBack(state, { plan, commit }, facts, nowMs)
    case 'Committed':
    case 'Restored':
      return start(enter(state, { ...at, phase: 'Rebooting' }, nowMs), { kind: 'reboot' })
    case 'Unmoved': {
      // Nothing boots differently yet, so the grant is asked for again.
      const { targetDeploymentId } = commit
      return foundStaged(
        enter(state, { phase: 'Staged', plan, targetDeploymentId }, nowMs),
        facts,
        targetDeploymentId,
        nowMs,
      )
    }
  }
}

function foundVerifying(
  state: State,
  at: Verifying | Blessing,
  { facts, found }: Finding,
  nowMs: number,
): Step {
  if (at.commit === null) return runs(state, at.plan) ? redo(state, at, nowMs) : abandon(state, nowMs)
  if (found === 'TargetBooted') return targetBooted(state, at.plan, at.commit, nowMs)
  if (found === 'FellBack') return fellBack(state, { ...at, commit: at.commit }, facts, nowMs)
  return redo(state, at, nowMs)
}

type Fallen = Pick<Committing, 'plan'> & { readonly commit: Commit }

/** Something else than the target came up: what is booted wins, and the default is set to it. */
function fellBack(before: State, { plan, commit }: Fallen, facts: HostFacts, nowMs: number): Step {
  const state = commit.sameImage === true ? before : deny(before, [plan.image.digest])
  const found = facts.current?.deploymentId ?? 'a root that is no deployment'
  const message = `booting ${commit.targetDeploymentId}: ${found} came up instead`
  const failure = { ...failureOf('BootedOther', message), evidence: facts.evidence }
  if (facts.current === null) return finish(state, { phase: 'Failed', plan, failure }, nowMs)
  const landed = { ...commit, previousDeploymentId: facts.current.deploymentId }
  if (facts.default?.deploymentId !== facts.current.deploymentId) {
    return rollBack(state, { plan, commit: landed, failure }, nowMs)
  }
  return rolledBack(state, { plan, failure }, nowMs)
}
