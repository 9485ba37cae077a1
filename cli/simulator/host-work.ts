import type { Effect, FailedCheck, Image, ResultEvent } from '../../agent/update/types.ts'
import type { SimulatedHost, Surroundings } from './host-model.ts'
import { isLucky } from './luck.ts'
import { activate, bless, restore, runningOf, stage } from './machine.ts'

const secondMs = 1_000

/** How long each operation takes at least and at most, in seconds. */
const seconds = {
  pull: [20, 400],
  stage: [10, 60],
  activate: [3, 20],
  bless: [1, 5],
  rollback: [3, 20],
} as const

/** An operation may fail for a reason that goes away: a registry, a full pipe. */
const hiccupRate = 0.02
const pollMs = 30 * secondMs

type Work = Exclude<Effect, { readonly kind: 'forget' | 'reboot' }>
type Result<Of = ResultEvent> = Of extends ResultEvent ? Omit<Of, 'operation'> : never

export function stopWork(host: SimulatedHost): void {
  host.work += 1
  host.running = null
}

/** An operation, and whom its result concerns. */
type Job<Of extends Work> = { readonly effect: Of; readonly tell: (event: ResultEvent) => void }
type Checking = Extract<Work, { readonly kind: 'checkHealth' }>
type Moving = Exclude<Work, Checking>

export function runEffect(host: SimulatedHost, around: Surroundings, { effect, tell }: Job<Work>): void {
  host.running = effect
  if (effect.kind === 'checkHealth') {
    checkHealth(host, around, { effect, tell, spentMs: 0 })
    return
  }
  const [least, most] = seconds[effect.kind]
  const ms = (least + (most - least) * host.random()) * secondMs * host.spec.slowness
  later(host, around, ms, () => finish(host, around, { effect, tell }))
}

/** Void when the process or the operation ended before. */
function later(host: SimulatedHost, around: Surroundings, ms: number, run: () => void): void {
  const { process, work } = host
  around.after(ms, () => {
    if (host.process === process && host.work === work) run()
  })
}

function finish(host: SimulatedHost, around: Surroundings, { effect, tell }: Job<Moving>): void {
  host.running = null
  const { operation } = effect
  const needsNetwork = effect.kind === 'pull'
  if (
    host.random() < hiccupRate * Math.min(1, host.spec.slowness) ||
    (needsNetwork && !around.hasNetwork(host))
  ) {
    tell({
      operation,
      kind: 'failed',
      code: 'Hiccup',
      message: `${effect.kind} failed for a while`,
      retryable: true,
      random: host.random(),
    })
    return
  }
  if (effect.kind === 'stage' && isForeign(host, around, effect.image)) {
    const message = `${effect.image.manifestDigest} is not for ${host.spec.architecture}`
    tell({ operation, kind: 'failed', code: 'ImageRefused', message, retryable: false, random: 0 })
    return
  }
  tell({ ...doneBy(host, around, effect), operation })
}

/** A host that lied about itself is told to take what it cannot boot. */
function isForeign(
  { spec }: SimulatedHost,
  around: Surroundings,
  { digest, manifestDigest }: Image,
): boolean {
  const image = around.imageOf(digest)?.image
  return image !== undefined && image.manifests[spec.architecture] !== manifestDigest
}

function doneBy(host: SimulatedHost, around: Surroundings, effect: Moving): Result {
  const { machine } = host
  switch (effect.kind) {
    case 'pull':
      return { kind: 'downloaded', manifestDigest: effect.image.manifestDigest }
    case 'stage':
      return {
        kind: 'staged',
        deploymentId: stage(machine, effect.image, effect.kernelArguments),
        etcConflicts: [],
      }
    case 'activate':
      activate(machine, effect.deploymentId)
      around.onActivated(host)
      return { kind: 'activated' }
    case 'bless':
      bless(machine, effect.deploymentId)
      return { kind: 'blessed' }
    case 'rollback':
      restore(machine, effect.deploymentId, effect.bad)
      return { kind: 'restored' }
  }
}

type Check = Job<Checking> & { readonly spentMs: number }

/** Checks of the image are certain after `stableForMs`; a network that is away may come back until the deadline. */
function checkHealth(host: SimulatedHost, around: Surroundings, { effect, spentMs, tell }: Check): void {
  const firstMs = Math.min(
    effect.deadlineMs,
    effect.stableForMs + (2 + 8 * host.random()) * secondMs * Math.min(1, host.spec.slowness),
  )
  const waitMs = spentMs === 0 ? firstMs : Math.min(pollMs, effect.deadlineMs - spentMs)
  later(host, around, waitMs, () => {
    const failed = failedChecks(host, around, effect)
    const onlyNetwork = failed.length === 1 && failed[0]?.name === 'reachController'
    if (onlyNetwork && spentMs + waitMs < effect.deadlineMs) {
      checkHealth(host, around, { effect, tell, spentMs: spentMs + waitMs })
      return
    }
    host.running = null
    tell({ operation: effect.operation, kind: 'verdict', failedChecks: failed })
  })
}

function failedChecks(
  host: SimulatedHost,
  around: Surroundings,
  { health }: Checking,
): readonly FailedCheck[] {
  const { digest } = runningOf(host.machine)
  const rate = around.imageOf(digest ?? '')?.failureRate ?? 0
  const isBad = isLucky(rate, around.seed, host.spec.id, digest ?? '', 'health')
  const hasOwn = health.units.length + health.http.length + health.checks.length > 0 || health.greenboot
  const failed: FailedCheck[] = []
  if (isBad && (hasOwn || !health.reachController)) {
    failed.push({ name: health.checks[0] ?? 'health', detail: 'exit status 1' })
  }
  if (health.reachController && !around.hasNetwork(host)) {
    failed.push({ name: 'reachController', detail: 'nobody answers' })
  }
  return failed
}
