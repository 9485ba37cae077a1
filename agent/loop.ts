import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Network } from './checks.ts'
import type { Contact } from './contact.ts'
import type { Believed } from './identity/trust.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import { lookUntilStopped } from './looking.ts'
import type { Mail, Mailbox } from './mailbox.ts'
import { accept } from './plans/accept.ts'
import { toAcceptedPlan } from './plans/accepted-plan.ts'
import { guardOf } from './plans/guard.ts'
import type { Telling } from './report/telling.ts'
import { isExclusive, runOperation } from './runners.ts'
import { readState, writeState } from './state-file.ts'
import type { Salvaged } from './state-file.ts'
import { backoffMs } from './update/backoff.ts'
import { initialState, resume } from './update/resume.ts'
import { step, wakeAtMs } from './update/step.ts'
import type { HostFacts } from './update/facts.ts'
import type { Effect, Event, State } from './update/types.ts'

export type LoopOptions = {
  readonly driver: HostDriver
  readonly identity: { readonly hostId: string; readonly certificateNotBeforeMs: number }
  /** Asked for every plan, for it changes while the host runs. */
  readonly believed: () => Believed
  readonly statePath: string
  readonly mailbox: Mailbox
  /** Default: nobody ever answered. */
  readonly contact?: Contact
  /** Default: nobody to ask, so that no image can lose it. */
  readonly network?: Network
  readonly checkIntervalMs: number
  /** Between two looks at what boots next. Default: one minute. */
  readonly lookEveryMs?: number
  /** Called with every state, after it is on disk. */
  readonly onState: (state: State) => void
  /** Default: nobody is told. */
  readonly onRefused?: Telling['onRefused']
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly log: Logger
  readonly signal: AbortSignal
}

const LOOK_EVERY_MS = 60_000
const INSPECT_RETRY = { baseMs: 1_000, maxMs: 60_000 }

type Inspected = Omit<HostFacts, 'evidence'>

/** The operation that runs beside the loop. */
type Running = { readonly abort: AbortController; readonly ended: Promise<void> }

/**
 * From one boot of the host to the next: one event at a time, and `next` is on disk before its effects run.
 * `Rebooted`: the host runs again under another boot id, and all must be read anew.
 */
export async function runBoot(options: LoopOptions): Promise<'Rebooted' | 'Stopped'> {
  const { signal } = options
  const facts = await inspectUntilDone(options)
  if (facts === null) return 'Stopped'
  const over = new AbortController()
  const { lookEveryMs = LOOK_EVERY_MS } = options
  const looking = lookUntilStopped({ ...options, lookEveryMs }, facts, AbortSignal.any([signal, over.signal]))
  try {
    return await live(options, facts)
  } finally {
    over.abort()
    await looking
  }
}

async function live(options: LoopOptions, facts: Inspected): Promise<'Rebooted' | 'Stopped'> {
  const { mailbox, signal } = options
  let state = await loadState(options, facts)
  let running: Running | null = null
  let event: Event | null = resume(state, { ...facts, evidence: await evidenceOf(options, state, facts) })
  while (!signal.aborted) {
    if (event !== null) {
      const before = inTouch(options, state)
      const { next, effects } = step(before, event, Date.now())
      await persist(options, before, next)
      state = next
      const acted = await act(options, effects, running)
      if (acted === 'Rebooted') return 'Rebooted'
      running = event.kind === 'blessed' && acted === null ? tidyBeside(options) : acted
    }
    const mail = await mailbox.next(wakeAtMs(state), signal)
    event = mail === null ? null : toEvent(options, state, mail)
  }
  await stop(running)
  return 'Stopped'
}

/** Run effects in their order; every one ends the operation that ran before it. */
async function act(
  options: LoopOptions,
  effects: readonly Effect[],
  before: Running | null,
): Promise<Running | null | 'Rebooted'> {
  let running = before
  for (const effect of effects) {
    await stop(running)
    running = null
    if (effect.kind === 'forget') continue
    if (!isExclusive(effect.kind)) running = runBeside(options, effect)
    else if (await runExclusively(options, effect)) return 'Rebooted'
  }
  return running
}

/** Not worth a write of its own. */
function inTouch({ contact }: LoopOptions, state: State): State {
  const reachableAtMs = contact?.atMs() ?? null
  return reachableAtMs === null ? state : { ...state, reachableAtMs }
}

/** What can be found out only when something else came up than was activated. */
async function evidenceOf(
  { driver, signal }: LoopOptions,
  { at }: State,
  facts: Inspected,
): Promise<readonly string[]> {
  if (!('commit' in at) || at.commit === null) return []
  const { targetDeploymentId: deploymentId, bootId } = at.commit
  if (facts.bootId === bootId || facts.current?.deploymentId === deploymentId) return []
  return driver.evidence({ deploymentId, bootId }, signal)
}

async function persist({ statePath, onState, log }: LoopOptions, before: State, next: State): Promise<void> {
  if (next !== before) await writeState(statePath, next)
  onState(next)
  if (next.at.phase === before.at.phase) return
  const failure = 'failure' in next.at ? next.at.failure : undefined
  const digest = 'plan' in next.at ? next.at.plan.image.digest : undefined
  log.info({ phase: next.at.phase, from: before.at.phase, digest, failure }, 'phase')
}

async function loadState({ statePath, log }: LoopOptions, facts: Inspected): Promise<State> {
  const content = await readState(statePath, Date.now())
  if (content.kind === 'read') return content.state
  const fresh = initialState(facts, Date.now())
  if (content.kind === 'absent') return fresh
  log.warn(content, 'the state file was damaged or is of a newer agent; going on from what is booted')
  return restart(fresh, content.salvaged)
}

/** The image that runs is not on trial any more, whatever the file said; what a person moved may still be theirs. */
function restart({ firstMove: _move, ...fresh }: State, { deniedDigests, ...salvaged }: Salvaged): State {
  const running = fresh.booted.current?.digest
  return { ...fresh, ...salvaged, deniedDigests: deniedDigests.filter((digest) => digest !== running) }
}

/** Without knowing what runs, nothing can be decided: try for ever, ever more slowly. */
async function inspectUntilDone({ driver, log, signal }: LoopOptions): Promise<Inspected | null> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      return await driver.inspect(signal)
    } catch (error) {
      if (signal.aborted) return null
      log.error({ err: error }, 'inspecting the host failed')
      const waitMs = backoffMs(failures, Math.random(), INSPECT_RETRY)
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }
  return null
}

type OperationEffect = Exclude<Effect, { kind: 'forget' }>

/**
 * True when the host rebooted and runs again. What moves the default is not stopped by `signal`, for it has a bound
 * of its own; a reboot is told, for on a real machine the signal is part of it.
 */
async function runExclusively(options: LoopOptions, effect: OperationEffect): Promise<boolean> {
  const signal = effect.kind === 'reboot' ? options.signal : new AbortController().signal
  const result = await runOperation(effect, { ...options, signal })
  if (result !== null) options.mailbox.putResult(result)
  return result === null
}

function runBeside(options: LoopOptions, effect: OperationEffect): Running {
  const abort = new AbortController()
  const signal = AbortSignal.any([options.signal, abort.signal])
  const ended = runOperation(effect, { ...options, signal }).then((result) => {
    // A stopped operation has no result: not even that it failed.
    if (result !== null && !signal.aborted) options.mailbox.putResult(result)
  })
  return { abort, ended }
}

/** A way back is proven, so what is older can go; what follows stops it, and nothing waits for it. */
function tidyBeside({ driver, log, signal: outer }: LoopOptions): Running {
  const abort = new AbortController()
  const signal = AbortSignal.any([outer, abort.signal])
  const ended = driver.tidy(signal).then(
    (removed) => void (removed.length > 0 && log.info({ removed }, 'freed what is not needed')),
    (error: unknown) =>
      void (signal.aborted || log.warn({ err: error }, 'freeing what is not needed failed')),
  )
  return { abort, ended }
}

async function stop(running: Running | null): Promise<void> {
  running?.abort.abort()
  await running?.ended
}

function toEvent(options: LoopOptions, state: State, mail: Mail): Event | null {
  switch (mail.kind) {
    case 'result':
    case 'looked':
      return mail.event
    case 'timer':
      return { kind: 'timer' }
    case 'plan':
      return openMail(options, state, mail.bytes)
  }
}

function openMail(options: LoopOptions, state: State, bytes: Uint8Array): Event | null {
  const { identity, believed, onRefused, log } = options
  const { accepted } = state
  const { directorKeys, release, approver, expiresAtMs, issuedAtMs } = believed()
  const acceptance = accept(bytes, {
    directorKeys,
    release,
    trustExpiresAtMs: expiresAtMs,
    hostId: identity.hostId,
    last: accepted,
    nowMs: Date.now(),
    timeFloorMs: Math.max(identity.certificateNotBeforeMs, accepted?.issuedAtMs ?? 0, issuedAtMs),
  })
  switch (acceptance.kind) {
    case 'unchanged':
      return null
    case 'refused': {
      const { refusal, detail, plan } = acceptance
      log.warn({ refusal, detail }, 'plan refused')
      if (plan !== undefined) onRefused?.({ plan, code: refusal, message: detail })
      return null
    }
    case 'accepted': {
      const { plan, payloadSha256 } = acceptance
      log.debug({ counter: plan.counter, rollout: plan.rollout }, 'plan accepted')
      onRefused?.(null)
      return { kind: 'planAccepted', plan: toAcceptedPlan(plan, payloadSha256, guardOf(plan, approver)) }
    }
  }
}
