import type { State } from '../update/types.ts'

/** What is known of a deployment that may be on trial, at one moment of its boot. */
export type Trial = {
  readonly bootId: string
  /** Null: what runs is no deployment. */
  readonly current: {
    readonly id: string
    readonly blessed: boolean
    readonly bad: string | null
    readonly triesLeft: number | null
  } | null
  readonly activatedId: string | null
  /** Null: the agent has never written one. */
  readonly state: State | null
  readonly elapsedMs: number
}

export type Limits = {
  /** For the agent to come up at all. */
  readonly agentWithinMs: number
}

export type Opinion =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'passed'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }

const NOT_OURS = 'the agent runs, and it is not the agent that put this deployment on trial'
/** For what the agent does after its own deadline: the verdict, bless, or the way back. */
const MARGIN_MS = 5 * 60 * 1000
/** For the agent's own reboot, which a reboot of ours must not overtake. */
const WAY_BACK_MS = 3 * 60 * 1000

/** Whether a boot is complete: a deployment on trial is only when the agent's verdict is in. */
export function judgeTrial(trial: Trial, limits: Limits): Opinion {
  const { current, state, bootId, elapsedMs } = trial
  if (current === null) return passed('what runs is no deployment')
  if (current.blessed) return passed(`${current.id} has proven itself`)
  if (current.bad === null && current.triesLeft === null && trial.activatedId !== current.id) {
    return passed(`${current.id} is not on trial`)
  }
  if (state === null || state.booted.bootId !== bootId) {
    const { agentWithinMs } = limits
    if (elapsedMs < agentWithinMs) return { kind: 'waiting' }
    return failed(`${current.id}: the agent did not start within ${seconds(agentWithinMs)}`)
  }
  return judgeByAgent(state, current.id, elapsedMs)
}

function judgeByAgent({ at, booted }: State, id: string, elapsedMs: number): Opinion {
  if (at.phase === 'Verifying' || at.phase === 'Blessing' || at.phase === 'RollingBack') {
    const extraMs = at.phase === 'RollingBack' ? MARGIN_MS + WAY_BACK_MS : MARGIN_MS
    if (elapsedMs < at.plan.health.deadlineMs + extraMs) return { kind: 'waiting' }
    return failed(`${id}: no verdict ${seconds(elapsedMs)} after the start`)
  }
  // An end that is about another image says nothing of one that somebody else put there since.
  const isEnd = at.phase === 'Failed' || at.phase === 'RolledBack'
  if (!isEnd || booted.current?.manifestDigest !== at.plan.image.manifestDigest) return passed(NOT_OURS)
  return failed(`${id}: ${at.failure.message}`)
}

function passed(message: string): Opinion {
  return { kind: 'passed', message }
}

function failed(message: string): Opinion {
  return { kind: 'failed', message }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
