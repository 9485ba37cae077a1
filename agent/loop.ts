import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Identity } from './identity/identity.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import type { Mail, Mailbox } from './mailbox.ts'
import { accept } from './plans/accept.ts'
import { toAcceptedPlan } from './plans/accepted-plan.ts'
import { isExclusive, runOperation } from './runners.ts'
import { readState, writeState } from './state-file.ts'
import type { Salvaged } from './state-file.ts'
import { backoffMs } from './update/backoff.ts'
import { initialState, resume } from './update/resume.ts'
import { step, wakeAtMs } from './update/step.ts'
import type { Effect, Event, HostFacts, State } from './update/types.ts'

export type LoopOptions = {
  readonly driver: HostDriver
  readonly identity: Identity
  readonly statePath: string
  readonly mailbox: Mailbox
  readonly checkIntervalMs: number
  /** Called with every state, after it is on disk. */
  readonly onState: (state: State) => void
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly log: Logger
  readonly signal: AbortSignal
}

const INSPECT_RETRY = { baseMs: 1_000, maxMs: 60_000 }

/** The operation that runs beside the loop. */
type Running = { readonly abort: AbortController; readonly ended: Promise<void> }

/**
 * From one boot of the host to the next: one event at a time, and `next` is on disk before its effects run.
 * `Rebooted`: the host runs again under another boot id, and all must be read anew.
 */
export async function runBoot(options: LoopOptions): Promise<'Rebooted' | 'Stopped'> {
  const { mailbox, signal } = options
  const facts = await inspectUntilDone(options)
  if (facts === null) return 'Stopped'
  let state = await loadState(options, facts)
  let running: Running | null = null
  let event: Event | null = resume(state, facts)
  while (!signal.aborted) {
    if (event !== null) {
      const { next, effects } = step(state, event, Date.now())
      await persist(options, state, next)
      state = next
      const acted = await act(options, effects, running)
      if (acted === 'Rebooted') return 'Rebooted'
      running = acted
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

async function persist({ statePath, onState, log }: LoopOptions, before: State, next: State): Promise<void> {
  if (next !== before) await writeState(statePath, next)
  onState(next)
  if (next.at.phase === before.at.phase) return
  const failure = 'failure' in next.at ? next.at.failure : undefined
  const digest = 'plan' in next.at ? next.at.plan.image.digest : undefined
  log.info({ phase: next.at.phase, from: before.at.phase, digest, failure }, 'phase')
}

async function loadState({ statePath, log }: LoopOptions, facts: HostFacts): Promise<State> {
  const content = await readState(statePath, Date.now())
  if (content.kind === 'read') return content.state
  const fresh = initialState(facts, Date.now())
  if (content.kind === 'absent') return fresh
  log.warn(content, 'the state file was damaged or is of a newer agent; going on from what is booted')
  return restart(fresh, content.salvaged)
}

/** The image that runs is not on trial any more, whatever the file said. */
function restart(fresh: State, { accepted, deniedDigests }: Salvaged): State {
  const running = fresh.booted.current?.digest
  return { ...fresh, accepted, deniedDigests: deniedDigests.filter((digest) => digest !== running) }
}

/** Without knowing what runs, nothing can be decided: try for ever, ever more slowly. */
async function inspectUntilDone({ driver, log, signal }: LoopOptions): Promise<HostFacts | null> {
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

async function stop(running: Running | null): Promise<void> {
  running?.abort.abort()
  await running?.ended
}

function toEvent(options: LoopOptions, state: State, mail: Mail): Event | null {
  switch (mail.kind) {
    case 'result':
      return mail.event
    case 'timer':
      return { kind: 'timer' }
    case 'plan':
      return openMail(options, state, mail.bytes)
  }
}

function openMail({ identity, log }: LoopOptions, state: State, bytes: Uint8Array): Event | null {
  const { accepted } = state
  const acceptance = accept(bytes, {
    directorKeys: identity.directorKeys,
    hostId: identity.hostId,
    last: accepted,
    nowMs: Date.now(),
    timeFloorMs: Math.max(identity.certificateNotBeforeMs, accepted?.issuedAtMs ?? 0),
  })
  switch (acceptance.kind) {
    case 'unchanged':
      return null
    case 'refused':
      log.warn({ refusal: acceptance.refusal, detail: acceptance.detail }, 'plan refused')
      return null
    case 'accepted': {
      const { plan, payloadSha256 } = acceptance
      log.debug({ counter: plan.counter, rollout: plan.rollout }, 'plan accepted')
      return { kind: 'planAccepted', plan: toAcceptedPlan(plan, payloadSha256) }
    }
  }
}
