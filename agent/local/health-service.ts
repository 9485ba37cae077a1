import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentConfig } from '../config.ts'
import { containerSnapProgram } from '../hosts/container-snap-program.ts'
import { readStatus } from '../hosts/container-snap-status.ts'
import type { Status } from '../hosts/container-snap-status.ts'
import type { Machine } from '../hosts/machine.ts'
import { peekState } from '../state-file.ts'
import type { State } from '../update/types.ts'
import { judgeTrial } from './trial.ts'
import type { Limits, Opinion } from './trial.ts'

export type HealthServiceOptions = Limits & {
  readonly config: AgentConfig
  readonly machine: Machine
  readonly signal: AbortSignal
  /** Default: 1 s. */
  readonly pollMs?: number
}

/** Looking at the deployments starts a program, which costs more than to look at the state file. */
const STATUS_EVERY_MS = 30_000

/**
 * Wait until it is known whether the deployment that runs may stay: what stands before boot-complete.target. Resolves
 * to `waiting` only when `signal` fired.
 */
export async function awaitVerdict(options: HealthServiceOptions): Promise<Opinion> {
  const { config, machine, signal } = options
  const statePath = join(config.stateDir, 'state.json')
  const startedAtMs = performance.now()
  let seen: { readonly status: Status; readonly phase: string | undefined; readonly atMs: number } | null =
    null
  let opinion: Opinion = { kind: 'waiting' }
  while (opinion.kind === 'waiting' && !signal.aborted) {
    const elapsedMs = performance.now() - startedAtMs
    const bootId = await machine.bootId()
    const state = await peekState(statePath)
    const phase = state?.at.phase
    if (seen === null || seen.phase !== phase || performance.now() - seen.atMs >= STATUS_EVERY_MS) {
      const status = await statusOrNull(options)
      seen = status === null ? seen : { status, phase, atMs: performance.now() }
    }
    opinion = opinionOf({ bootId, state, elapsedMs, status: seen?.status ?? null }, options)
    if (opinion.kind === 'waiting')
      await delay(options.pollMs ?? 1_000, undefined, { signal }).catch(() => {})
  }
  return opinion
}

type Moment = {
  readonly bootId: string
  readonly state: State | null
  readonly elapsedMs: number
  readonly status: Status | null
}

function opinionOf({ status, ...moment }: Moment, { agentWithinMs }: Limits): Opinion {
  if (status !== null) {
    const { current, activated } = status
    return judgeTrial({ ...moment, current, activatedId: activated?.id ?? null }, { agentWithinMs })
  }
  if (moment.elapsedMs < agentWithinMs) return { kind: 'waiting' }
  return { kind: 'failed', message: 'container-snap does not say what runs' }
}

/** It may be in the middle of a change, or the disk slow: asked again. */
async function statusOrNull({ config, machine, signal }: HealthServiceOptions): Promise<Status | null> {
  if (config.host.driver !== 'container-snap') return null
  const { command, env } = config.host
  const call = containerSnapProgram({ command, sysroot: machine.sysroot, env })
  return readStatus(call, signal).catch(() => null)
}
