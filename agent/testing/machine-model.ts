import { resume } from '../update/resume.ts'
import { step } from '../update/step.ts'
import type { Deployment, HostFacts, KnownDeployment, LocalMove } from '../update/facts.ts'
import type {
  AcceptedPlan,
  Effect,
  Event,
  FailedCheck,
  HealthChecks,
  Image,
  ResultEvent,
  State,
} from '../update/types.ts'
import { digestOf } from './plans.ts'

/** A host as a value: what the update machine's effects do to it, without time or files. */
export type HostModel = {
  bootNumber: number
  deployments: KnownDeployment[]
  currentId: string
  defaultId: string
  /** Every change of the default away from what ran, in order. */
  activations: string[]
  /** Activated, and not booted since. */
  tryingId: string | null
  /** By a person. */
  moved?: LocalMove | undefined
}

export function newHost(version = '0.0.0'): HostModel {
  const first = deploymentOf(version, 1)
  return {
    bootNumber: 1,
    deployments: [first],
    currentId: first.deploymentId,
    defaultId: first.deploymentId,
    activations: [],
    tryingId: null,
  }
}

export function deploymentOf(version: string, number: number): KnownDeployment {
  return { ...rootOf(version, number), blessed: false, bad: null, version }
}

/** As `current` and `default` name it. */
export function rootOf(version: string, number: number): Deployment {
  return {
    deploymentId: `${version}-work${number}`,
    digest: digestOf(version),
    manifestDigest: digestOf(version),
  }
}

export function factsOf(host: HostModel): HostFacts {
  const find = (id: string): Deployment | null => {
    const known = host.deployments.find((deployment) => deployment.deploymentId === id)
    if (known === undefined) return null
    const { deploymentId, digest, kernelArguments, manifestDigest } = known
    return { deploymentId, digest, manifestDigest, ...(kernelArguments !== undefined && { kernelArguments }) }
  }
  const fallen = host.deployments.filter(({ bad }) => bad !== null)
  return {
    bootId: `boot-${host.bootNumber}`,
    current: find(host.currentId),
    default: find(host.defaultId),
    deployments: host.deployments,
    evidence: fallen.map(({ deploymentId }) => `${deploymentId} was tried`),
    ...(host.moved !== undefined && { moved: host.moved }),
  }
}

export type Behaviour = {
  /** Versions whose checks fail. */
  readonly sick: readonly string[]
  /** Versions that never come up. */
  readonly dead: readonly string[]
  /** Versions that have no network. */
  readonly offline: readonly string[]
}

/** What came up instead of what was to be tried wins, as the host itself sees to before the agent looks. */
export function boot(host: HostModel, { dead }: Behaviour): void {
  host.bootNumber += 1
  if (!dead.includes(versionOf(host.defaultId))) host.currentId = host.defaultId
  if (host.tryingId !== null && host.tryingId !== host.currentId) {
    mark(host, host.tryingId, { bad: 'something else came up' })
    host.defaultId = host.currentId
  }
  host.tryingId = null
}

function mark(host: HostModel, id: string, found: Partial<KnownDeployment>): void {
  host.deployments = host.deployments.map((known) =>
    known.deploymentId === id ? { ...known, ...found } : known,
  )
}

/** Do what an effect does to the host; its result is null where the next start tells it. */
export function perform(host: HostModel, effect: Effect, behaviour: Behaviour): ResultEvent | null {
  const { operation } = effect
  switch (effect.kind) {
    case 'pull':
      return { kind: 'downloaded', operation, ...labelled(effect.image) }
    case 'stage': {
      const { image, kernelArguments } = effect
      const first = deploymentOf(image.version, host.deployments.length + 1)
      const made = kernelArguments === undefined ? first : { ...first, kernelArguments }
      host.deployments.push(made)
      return { kind: 'staged', operation, deploymentId: made.deploymentId, etcConflicts: [] }
    }
    case 'activate':
      host.moved = undefined
      host.activations.push(effect.deploymentId)
      host.defaultId = effect.deploymentId
      host.tryingId = effect.deploymentId
      return { kind: 'activated', operation }
    case 'bless':
      mark(host, effect.deploymentId, { blessed: true })
      return { kind: 'blessed', operation, version: versionOf(effect.deploymentId) }
    case 'rollback': {
      const left = host.currentId === effect.deploymentId ? host.tryingId : host.currentId
      if (effect.bad !== null && left !== null) mark(host, left, { bad: effect.bad })
      host.defaultId = effect.deploymentId
      host.tryingId = null
      host.moved = undefined
      return { kind: 'restored', operation }
    }
    case 'reboot':
      boot(host, behaviour)
      return null
    case 'checkHealth': {
      const failedChecks = failedChecksOn(versionOf(host.currentId), effect.health, behaviour)
      return { kind: 'verdict', operation, failedChecks }
    }
    case 'forget':
      return null
  }
}

function labelled({ manifestDigest, version }: Image): { manifestDigest: string; version: string } {
  return { manifestDigest, version }
}

function failedChecksOn(
  version: string,
  { checks, reachController }: HealthChecks,
  { sick, offline }: Behaviour,
): readonly FailedCheck[] {
  const failed: FailedCheck[] = []
  if (sick.includes(version)) failed.push(...checks.map((name) => ({ name, detail: 'exit status 1' })))
  if (reachController && offline.includes(version)) failed.push({ name: 'reachController', detail: 'silent' })
  return failed
}

export function versionOf(deploymentId: string): string {
  return deploymentId.split('-')[0] ?? ''
}

export function acceptedPlan(version: string, changes: Partial<AcceptedPlan> = {}): AcceptedPlan {
  const digest = digestOf(version)
  return {
    payloadSha256: version,
    fleet: 'edge',
    rollout: `edge-${version}`,
    generation: 1,
    attempt: 1,
    term: 1,
    counter: 1,
    issuedAtMs: 0,
    image: { repository: 'registry.example/os/edge', digest, manifestDigest: digest, version },
    stageUntilMs: 1_000_000,
    activateUntilMs: 1_000_000,
    health: {
      units: [],
      http: [],
      checks: ['web-up'],
      greenboot: false,
      reachController: false,
      stableForMs: 0,
      deadlineMs: 10_000,
    },
    limits: { maxReboots: 3, maxBytes: 1e9 },
    deny: [],
    ...changes,
  }
}

/** The agent around the machine: a disk, one operation at a time, and a process that may be killed anywhere. */
export type World = { host: HostModel; disk: State; pending: Effect[]; trace: string[] }

export function take(world: World, event: Event, nowMs: number): void {
  const { next, effects } = step(world.disk, event, nowMs)
  world.disk = next
  if (next.at.phase !== world.trace.at(-1)) world.trace.push(next.at.phase)
  if (effects.length > 0) world.pending = effects.filter(({ kind }) => kind !== 'forget')
}

export function restart(world: World, nowMs: number): void {
  world.pending = []
  take(world, resume(world.disk, factsOf(world.host)), nowMs)
}

/** Run until nothing is left to do. */
export function settle(world: World, behaviour: Behaviour, nowMs: number): void {
  for (let turns = 0; world.pending.length > 0; turns += 1) {
    if (turns > 100) throw new Error(`no end: ${world.trace.join(' ')}`)
    turn(world, behaviour, nowMs)
  }
}

/** One effect and its result. `crash`: the process dies after the effect, before it hears of the result. */
export function turn(world: World, behaviour: Behaviour, nowMs: number, crash = false): void {
  const [effect, ...rest] = world.pending
  if (effect === undefined) return
  world.pending = rest
  const result = perform(world.host, effect, behaviour)
  if (crash || effect.kind === 'reboot') restart(world, nowMs)
  else if (result !== null) take(world, result, nowMs)
}
