import type { Logger } from 'pino'
import { gatherChecks } from './checks.ts'
import type { Network } from './checks.ts'
import { CONSEQUENCES } from './consequence.ts'
import { AgentError, toAgentError } from './errors.ts'
import type { AgentErrorCode } from './errors.ts'
import { runChecks } from './health/run-checks.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import type { LintPolicy } from './update/staged.ts'
import type { Effect, Image, ResultEvent, Work } from './update/types.ts'

export type RunnerContext = {
  readonly driver: HostDriver
  readonly network?: Network
  readonly log: Logger
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
    return { kind: 'downloaded', ...(await driver.pull(image, { maxBytes, onProgress, signal })) }
  },
  stage: async ({ image, kernelArguments = [], lint }, { driver, log, signal }) => {
    const lintFindings = lint === null ? [] : await lintedBy(driver, { image, lint, signal })
    for (const finding of lintFindings)
      log.warn({ digest: image.digest, finding }, 'lint: the image is unfit')
    const staged = await driver.stage({ image, kernelArguments }, signal)
    return { kind: 'staged', ...staged, ...(lintFindings.length > 0 && { lintFindings }) }
  },
  activate: async ({ deploymentId }, { driver, signal }) => {
    await driver.activate(deploymentId, signal)
    return { kind: 'activated' }
  },
  rollback: async ({ deploymentId, bad }, { driver, signal }) => {
    await driver.rollback(deploymentId, bad, signal)
    return { kind: 'restored' }
  },
  bless: async ({ deploymentId }, { driver, log, signal }) => {
    await driver.bless(deploymentId, signal)
    const version = await versionOf(deploymentId, { driver, log, signal })
    return { kind: 'blessed', ...(version !== undefined && { version }) }
  },
  reboot: async (_effect, { driver, signal }) => {
    await driver.reboot(signal)
    return null
  },
  checkHealth: async ({ stableForMs, deadlineMs, ...asked }, { checkIntervalMs, log, signal, ...host }) => {
    const checks = await gatherChecks(asked, host)
    const onNoted = noteOnce(log)
    const run = { checks, stableForMs, deadlineMs, intervalMs: checkIntervalMs, onNoted, signal }
    return { kind: 'verdict', failedChecks: await runChecks(run) }
  },
}

/** It is proven whether or not this can be read, and must not be taken back for it. */
async function versionOf(
  deploymentId: string,
  { driver, log, signal }: Pick<RunnerContext, 'driver' | 'log' | 'signal'>,
): Promise<string | undefined> {
  try {
    const { deployments } = await driver.inspect(signal)
    return deployments.find((known) => known.deploymentId === deploymentId)?.version
  } catch (error) {
    log.warn({ err: error, deploymentId }, 'reading the version of what was proven failed')
    return undefined
  }
}

type Linting = { readonly image: Image; readonly lint: LintPolicy; readonly signal: AbortSignal }

/** What is let pass although it was found. A check that could not be made lets nothing pass under Enforce. */
async function lintedBy(driver: HostDriver, { image, lint, signal }: Linting): Promise<readonly string[]> {
  if (lint === 'Warn') {
    return driver.lint(image, signal).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof AgentError)) throw error
      return [error.message]
    })
  }
  const [first, ...more] = await driver.lint(image, signal)
  if (first === undefined) return []
  const others = more.length === 0 ? '' : ` (and ${more.length} more; container-snap lint shows them)`
  throw new AgentError('RejectedByLint', `checking ${image.digest}: ${first}${others}`)
}

/** Checks run every second; what one says is told when it changes. */
function noteOnce(log: Logger): (name: string, detail: string) => void {
  const told = new Map<string, string>()
  return (name, detail) => {
    if (told.get(name) === detail) return
    told.set(name, detail)
    log.warn({ check: name, detail }, 'a wanted check did not pass')
  }
}

const FAILURE_CODES: Readonly<Record<Operation['kind'], AgentErrorCode>> = {
  pull: 'DownloadFailed',
  stage: 'StageFailed',
  activate: 'ActivateFailed',
  rollback: 'RollbackFailed',
  bless: 'BlessFailed',
  reboot: 'RebootFailed',
  checkHealth: 'HealthFailed',
}

const TOLD_AS_THEY_ARE: ReadonlySet<AgentErrorCode> = new Set(['NoSpace', 'RejectedByLint'])

/**
 * Operations that must not be stopped half-way, nor have the state file written beside them: what they change is
 * what the next start looks at, and a reboot takes the file system with it.
 */
export function isExclusive(kind: Operation['kind']): boolean {
  return kind === 'activate' || kind === 'rollback' || kind === 'bless' || kind === 'reboot'
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
    const code = TOLD_AS_THEY_ARE.has(error.code) ? error.code : FAILURE_CODES[effect.kind]
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
