import type { ObservedSystem } from '../hosts/report-only.ts'
import type { Status } from '../hosts/container-snap-status.ts'
import { staleSinceMs } from '../plans/staleness.ts'
import type { LocalMove } from '../update/facts.ts'
import { awaitsVerdict } from '../update/transition.ts'
import type { AcceptedPlan, Failure, State } from '../update/types.ts'

const NO_DEPLOYMENT =
  'what runs is no deployment, so this host only reports; "bootfleet-agent adopt" makes it one'

function onlyReports(state: State | null, status: Status | null): boolean {
  return status?.current === null && (state === null || !awaitsVerdict(state))
}

/** It may have followed plans before, and have ended here. */
function lastFailure(state: State | null): readonly string[] {
  return state !== null && 'failure' in state.at
    ? [`failure ${state.at.failure.code}: ${state.at.failure.message}`]
    : []
}

type Known = Status['deployments'][number]

/** What the host runs, what boots next and how far its plan is, for people. */
export function statusLines(
  state: State | null,
  status: Status | null,
  at: { readonly nowMs: number; readonly staleAfterMs: number },
): readonly string[] {
  if (status !== null && onlyReports(state, status))
    return [...deploymentLines(status), `plan    none: ${NO_DEPLOYMENT}`, ...lastFailure(state)]
  return [
    ...(status === null ? [] : deploymentLines(status)),
    ...(state === null ? ['agent   has never run here'] : stateLines(state, at.nowMs)),
    ...staleLines(state, at),
  ]
}

/** What is seen of a host that only reports, for people. */
export function systemLines({ image, os }: ObservedSystem): readonly string[] {
  const { digest, labels, reference, version } = image
  return [
    `runs    ${reference === '' ? 'no image that its own tools know of' : reference}`,
    ...(version === '' ? [] : [`version ${version}`]),
    ...(digest === '' ? [] : [`digest  ${digest}`]),
    `system  ${os.name || `${os.id} ${os.version}`.trim() || 'unknown'}`,
    ...Object.entries(labels).map(([key, value]) => `label   ${key}=${value}`),
    'plan    none: this host only reports (driver: report-only), and is never updated',
  ]
}

function deploymentLines({ current, default: next }: Status): readonly string[] {
  const same = current !== null && current.id === next?.id
  return [`runs    ${deployment(current)}`, `next    ${same ? 'the same' : deployment(next)}`]
}

function deployment(known: Known | null): string {
  if (known === null) return 'a root that is no deployment'
  const digest = known.digest === '' ? 'of an unknown image' : known.digest
  const tries = known.triesLeft === null ? '' : `, ${known.triesLeft} tries left`
  const standing = known.bad !== null ? `bad: ${known.bad}` : known.blessed ? 'proven' : `not proven${tries}`
  return `${digest} (${known.id}; ${standing})`
}

function stateLines(state: State, nowMs: number): readonly string[] {
  const { accepted, at, phaseEnteredAtMs, etcConflicts, lintFindings = [], moved } = state
  const plan = 'plan' in at ? at.plan : accepted
  return [
    plan === null ? 'plan    none yet' : `plan    ${planWords(plan)}`,
    `phase   ${at.phase} for ${duration(nowMs - phaseEnteredAtMs)}`,
    ...lastFailure(state),
    ...(moved === undefined
      ? []
      : [
          `moved   by ${moved.user} with container-snap ${moved.command}, ${new Date(moved.atMs).toISOString()}`,
        ]),
    ...etcConflicts.map((path) => `etc     ${path} was changed here and in the image; the host's was kept`),
    ...lintFindings.map((finding) => `lint    ${finding}`),
  ]
}

function staleLines(state: State | null, at: Parameters<typeof staleSinceMs>[1]): readonly string[] {
  const sinceMs = staleSinceMs(state?.accepted ?? null, at)
  if (sinceMs === null) return []
  const age = `${duration(at.nowMs - sinceMs)} ago, and more than ${duration(at.staleAfterMs)} is too long`
  return [
    `stale   PlansStale: the newest plan was signed ${age}: the controller is away, or somebody withholds its plans`,
  ]
}

function planWords({ image, rollout, attempt }: AcceptedPlan): string {
  const version = image.version === '' ? '' : `${image.version} `
  return `${version}${image.digest} (rollout ${rollout}, attempt ${attempt})`
}

/** The first thing that keeps the host from what its plan wants, or that it is kept from nothing. */
export function whyLines(
  state: State | null,
  status: Status | null,
  { hostName, nowMs }: { readonly hostName: string; readonly nowMs: number },
): readonly string[] {
  if (onlyReports(state, status)) return [NO_DEPLOYMENT, ...lastFailure(state)]
  if (state === null) return ['the agent has never run here: is bootfleet-agent.service started?']
  const { at, accepted, moved } = state
  if (moved !== undefined && accepted?.resumed !== moved.id) return movedLines(moved, hostName)
  if ('failure' in at) return failureLines(at.failure)
  if ('retry' in at) return [retryLine(at.phase, at.retry, nowMs)]
  switch (at.phase) {
    case 'Verifying':
      return [
        `Verifying: the verdict is due in ${duration(at.deadlineAtMs - nowMs)}; see bootfleet-agent check`,
      ]
    case 'Staged':
      return [grantLine('activated', at.plan.activateUntilMs, nowMs)]
    case 'Ready':
      return [grantLine('staged', at.plan.stageUntilMs, nowMs)]
    case 'Idle':
      return [accepted === null ? 'no plan has come yet' : grantLine('staged', accepted.stageUntilMs, nowMs)]
    case 'Healthy':
      return ['nothing: the image of the plan runs and is healthy']
  }
}

/** As the controller calls it. */
function movedLines({ atMs, command, digest, user }: LocalMove, hostName: string): readonly string[] {
  const what = digest ?? 'an image that nobody knows'
  return [
    `Drifted(local): ${user} made ${what} boot with container-snap ${command}, ${new Date(atMs).toISOString()}`,
    `  the agent leaves it so, and takes no step until "bootfleet resume host/${hostName}" lets it go on`,
  ]
}

function failureLines({ code, message, failedChecks, evidence }: Failure): readonly string[] {
  return [
    `${code}: ${message}`,
    ...failedChecks.map(({ name, detail }) => `  check ${name}: ${detail}`),
    ...evidence.map((line) => `  ${line}`),
  ]
}

function retryLine(phase: string, retry: { failures: number; atMs: number | null }, nowMs: number): string {
  if (retry.failures === 0) return `${phase}: under way`
  const next =
    retry.atMs === null ? 'and runs again' : `and is tried again in ${duration(retry.atMs - nowMs)}`
  return `${phase}: failed ${retry.failures} times, ${next}; see the agent's log`
}

function grantLine(step: string, untilMs: number | null, nowMs: number): string {
  if (untilMs === null) return `the image may not be ${step} yet: the controller has not granted it`
  if (nowMs >= untilMs)
    return `the image may not be ${step} any more: the grant ended ${duration(nowMs - untilMs)} ago`
  return `the image may be ${step}, and is about to be`
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}
