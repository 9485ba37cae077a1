import * as fc from 'fast-check'
import { waveOf, withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { Amount, Strategy } from '../../controller/desired-state/types.ts'
import type { Decision } from '../../controller/rollout/decision.ts'
import { imageOf } from './rollout-agent.ts'
import type { SimulatedAgent } from './rollout-agent.ts'
import {
  connect,
  dispatch,
  enrol,
  fallIll,
  move,
  newWorld,
  pass,
  restart,
  settleAll,
  silence,
  want,
} from './rollout-world.ts'
import type { World } from './rollout-world.ts'

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs

export type Operation =
  | {
      readonly kind: 'git' | 'move' | 'silence' | 'back' | 'pass' | 'crash' | 'again' | 'ill' | 'cutOff'
      readonly value: number
    }
  | { readonly kind: 'restart' | 'pause' | 'resume' | 'join' | 'timer' | 'settle' | 'none' }

const amount: fc.Arbitrary<Amount> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((count): Amount => ({ kind: 'count', count })),
  fc.integer({ min: 1, max: 100 }).map((percent): Amount => ({ kind: 'percent', percent })),
)

export const strategy: fc.Arbitrary<Strategy> = fc
  .record({
    waves: fc.array(fc.record({ upTo: amount, soak: fc.constantFrom(0, 0, 2 * minuteMs) }), { maxLength: 3 }),
    maxUnavailable: amount,
    max: fc.constantFrom<Amount>(
      { kind: 'count', count: 0 },
      { kind: 'count', count: 1 },
      { kind: 'percent', percent: 40 },
    ),
    onFailure: fc.constantFrom('Pause' as const, 'Rollback' as const),
  })
  .map(({ max, maxUnavailable, onFailure, waves }) => ({
    ...withDefaults('any', {}),
    downloads: { maxConcurrent: 50, prefetch: 'None' },
    waves: waves.map(({ soak, upTo }, index) => waveOf(`w${index}`, upTo, soak)),
    maxUnavailable,
    failureLimit: { firstWave: { max, minAttempted: 1 }, later: { max, minAttempted: 1 } },
    onFailure: { firstWave: onFailure, later: onFailure },
    deadlines: {
      downloadMs: 30 * minuteMs,
      activateMs: 5 * minuteMs,
      healthMs: 5 * minuteMs,
      waveMs: 4 * hourMs,
    },
    health: { units: [], http: [], checks: [], greenboot: false, reachController: false, stableForMs: 0 },
  }))

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('move' as const), value: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.constantFrom<Operation>({ kind: 'timer' }, { kind: 'settle' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'git' as const,
        'silence' as const,
        'back' as const,
        'pass' as const,
        'crash' as const,
        'again' as const,
        'ill' as const,
        'cutOff' as const,
      ),
      value: fc.nat(7),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Operation>(
      { kind: 'restart' },
      { kind: 'pause' },
      { kind: 'resume' },
      { kind: 'join' },
      { kind: 'none' },
    ),
  },
)

export type Case = {
  readonly hosts: number
  readonly plan: Strategy
  readonly operations: readonly Operation[]
}
export const cases: fc.Arbitrary<Case> = fc.record({
  hosts: fc.integer({ min: 1, max: 8 }),
  plan: strategy,
  operations: fc
    .array(operation, { maxLength: 80 })
    .map((operations): readonly Operation[] => [
      { kind: 'git', value: 0 },
      { kind: 'settle' },
      { kind: 'git', value: 1 },
      ...operations,
    ]),
})

export function startCase(
  { hosts }: Case,
  check: (world: World, decision: Decision) => void = () => undefined,
): World {
  const world: World = newWorld((_event, decision) => check(world, decision))
  world.broken.add(imageOf('2.0.0').digest)
  for (let index = 0; index < hosts; index += 1) enrol(world, `h${index}`, imageOf('0.0.0').digest)
  return world
}

/** Commits the fleet `edge` at a version; an empty one removes it from git. */
export function commit(world: World, plan: Strategy, version: string): void {
  const wanted = {
    name: 'edge',
    selector: { kind: 'all' as const },
    strategy: plan,
    suspend: false,
    revision: `rev-${version}`,
    image: imageOf(version),
    follows: null,
    pins: [],
    requires: [],
    downgrade: 'Allow' as const,
    deny: [],
  }
  want(world, version === '' ? [] : [wanted], `commit-${version}`)
}

export function perform(world: World, plan: Strategy, operation: Operation): void {
  const agents = [...world.agents.values()]
  const agent = 'value' in operation ? agents[operation.value % agents.length] : undefined
  if ('value' in operation && agent !== undefined) performOn(world, { plan, operation, agent })
  else performAlone(world, plan, operation.kind)
}

function performAlone(world: World, plan: Strategy, kind: Operation['kind']): void {
  const rolloutId = world.store.fleets.get('edge')?.rolloutId ?? 'none'
  if (kind === 'restart') restart(world)
  if (kind === 'pause' || kind === 'resume') dispatch(world, { kind, rolloutId, actor: 'kim', reason: '' })
  if (kind === 'join') enrol(world, `j${world.agents.size}`, imageOf('0.0.0').digest)
  if (kind === 'timer') dispatch(world, { kind: 'timer' })
  if (kind === 'settle') settleAll(world)
  if (kind === 'none') commit(world, plan, '')
}

type OnAgent = {
  readonly plan: Strategy
  readonly operation: Extract<Operation, { readonly value: number }>
  readonly agent: SimulatedAgent
}

function performOn(world: World, { agent, operation, plan }: OnAgent): void {
  switch (operation.kind) {
    case 'git':
      return commit(world, plan, ['1.0.0', '2.0.0', '3.0.0', '4.0.0'][operation.value % 4] as string)
    case 'move':
      move(world, agent)
      return
    case 'silence':
      return silence(world, agent)
    case 'back':
      agent.behaviour = 'good'
      return connect(world, agent)
    case 'ill':
      return fallIll(world, agent)
    case 'cutOff':
      if (agent.behaviour !== 'silent') agent.behaviour = 'cutOff'
      return
    case 'again':
      return sayAgain(world, agent.hostId)
    case 'pass':
      return pass(world, operation.value * 7 * minuteMs)
    case 'crash':
      world.crashAfterWrites = operation.value % 4
  }
}

/** At-least-once delivery. */
function sayAgain(world: World, hostId: string): void {
  const report = world.store.hosts.get(hostId)?.report
  if (report !== undefined) dispatch(world, { kind: 'report', hostId, report })
}
