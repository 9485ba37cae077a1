import { CONSEQUENCES } from './consequence.ts'
import { toAgentError } from './errors.ts'
import type { AgentErrorCode } from './errors.ts'
import { runChecks } from './health/run-checks.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import type { Effect, ResultEvent, Work } from './update/types.ts'

export type RunnerContext = {
  readonly driver: HostDriver
  readonly checkIntervalMs: number
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly signal: AbortSignal
}

/** What an operation came to; null: nothing to tell, for the next start will tell it. */
type Outcome = ResultWithoutOperation | null
type ResultWithoutOperation = ResultEvent extends infer One
  ? One extends ResultEvent
    ? Omit<One, 'operation'>
    : never
  : never

type Operation = Exclude<Work, { kind: 'forget' }>
type Runners = {
  readonly [Kind in Operation['kind']]: (
    effect: Extract<Operation, { kind: Kind }>,
    context: RunnerContext,
  ) => Promise<Outcome>
}

const RUNNERS: Runners = {
  pull: async ({ image, maxBytes }, { driver, onProgress, signal }) => {
    const { manifestDigest } = await driver.pull(image, { maxBytes, onProgress, signal })
    return { kind: 'downloaded', manifestDigest }
  },
  stage: async ({ image, maxBytes }, { driver, signal }) => {
    const deploymentId = await driver.stage(image, { maxBytes, onProgress: () => {}, signal })
    return { kind: 'staged', deploymentId }
  },
  activate: async ({ deploymentId }, { driver, signal }) => {
    await driver.activate(deploymentId, signal)
    return { kind: 'activated' }
  },
  rollback: async ({ deploymentId }, { driver, signal }) => {
    await driver.activate(deploymentId, signal)
    return { kind: 'restored' }
  },
  reboot: async (_effect, { driver, signal }) => {
    await driver.reboot(signal)
    return null
  },
  checkHealth: async ({ checks, stableForMs, deadlineMs }, { driver, checkIntervalMs, signal }) => {
    const runCheck = (name: string, stop: AbortSignal) => driver.runCheck(name, stop)
    const run = { checks, stableForMs, deadlineMs, intervalMs: checkIntervalMs, runCheck, signal }
    return { kind: 'verdict', failedChecks: await runChecks(run) }
  },
}

const FAILURE_CODES: Readonly<Record<Operation['kind'], AgentErrorCode>> = {
  pull: 'DownloadFailed',
  stage: 'StageFailed',
  activate: 'ActivateFailed',
  rollback: 'RollbackFailed',
  reboot: 'RebootFailed',
  checkHealth: 'HealthFailed',
}

/**
 * Operations that must not be stopped half-way, nor have the state file written beside them: what they change is
 * what the next start looks at, and a reboot takes the file system with it.
 */
export function isExclusive(kind: Operation['kind']): boolean {
  return kind === 'activate' || kind === 'rollback' || kind === 'reboot'
}

/** Run one operation to its result; an error becomes a `failed` result that says whether to try again. */
export async function runOperation(
  effect: Extract<Effect, Operation>,
  context: RunnerContext,
): Promise<ResultEvent | null> {
  const { operation } = effect
  try {
    const outcome = await dispatch(effect, context)
    return outcome === null ? null : ({ ...outcome, operation } as ResultEvent)
  } catch (thrown) {
    const error = toAgentError(FAILURE_CODES[effect.kind], effect.kind, thrown)
    const retryable = CONSEQUENCES[error.code] === 'Retry'
    const { message } = error
    const code = error.code === 'NoSpace' ? error.code : FAILURE_CODES[effect.kind]
    return { kind: 'failed', operation, code, message, retryable, random: Math.random() }
  }
}

function dispatch<Kind extends Operation['kind']>(
  effect: Extract<Operation, { kind: Kind }>,
  context: RunnerContext,
): Promise<Outcome> {
  const runner: Runners[Kind] = RUNNERS[effect.kind as Kind]
  return runner(effect, context)
}
