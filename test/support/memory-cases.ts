import * as fc from 'fast-check'
import { waveOf, withDefaults } from '../../controller/desired-state/strategy-defaults.ts'
import type { HostDeclaration } from '../../controller/desired-state/types.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { imageOf } from './rollout-agent.ts'
import { hourMs, perform, startCase, strategy } from './rollout-cases.ts'
import type { Case, Operation } from './rollout-cases.ts'
import { wipe } from './rollout-losses.ts'
import { connect, dispatch, pass, want } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

/** What people and git may do to a fleet beside naming another image, and what a store may lose. */
export type MemoryOperation =
  | Operation
  | {
      readonly kind: 'deny' | 'allow' | 'wants' | 'gitDenies' | 'halt' | 'unhalt' | 'wipe'
      readonly value: number
    }
  | { readonly kind: 'host'; readonly value: number; readonly as: 'held' | 'pinned' | 'moved' | 'free' }

export type MemoryCase = Pick<Case, 'hosts' | 'plan'> & { readonly operations: readonly MemoryOperation[] }

const versions = ['1.0.0', '2.0.0', '3.0.0', '4.0.0']
const versionOf = (value: number): string => versions[value % versions.length] as string

const operation: fc.Arbitrary<MemoryOperation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('move' as const), value: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<MemoryOperation>({ kind: 'settle' }, { kind: 'timer' }, { kind: 'restart' }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(['deny', 'allow', 'wants', 'wants', 'gitDenies', 'halt', 'unhalt', 'wipe'] as const),
        ...(['pass', 'silence', 'back', 'crash', 'again'] as const),
      ),
      value: fc.nat(7),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('host' as const),
      value: fc.nat(7),
      as: fc.constantFrom('held' as const, 'pinned' as const, 'moved' as const, 'free' as const),
    }),
  },
)

export const memoryCases: fc.Arbitrary<MemoryCase> = fc.record({
  hosts: fc.integer({ min: 1, max: 6 }),
  plan: strategy,
  operations: fc
    .array(operation, { maxLength: 60 })
    .map((operations): readonly MemoryOperation[] => [
      { kind: 'wants', value: 0 },
      { kind: 'settle' },
      { kind: 'wants', value: 2 },
      ...operations,
    ]),
})

/** Nobody is left to ask what the lost store knew. */
export const lostWithItsOnlyHost: MemoryCase = {
  hosts: 1,
  plan: { ...withDefaults('any', {}), waves: [waveOf('all', { kind: 'percent', percent: 100 }, 0)] },
  operations: [
    { kind: 'wants', value: 0 },
    { kind: 'settle' },
    { kind: 'wants', value: 2 },
    { kind: 'wipe', value: 0 },
    { kind: 'host', value: 0, as: 'moved' },
  ],
}

/** The other host was to go forward and is back; this one goes where its pin says, whenever it may. */
export const pinnedWhileAllGoBack: MemoryCase = {
  hosts: 2,
  plan: { ...withDefaults('any', {}), waves: [] },
  operations: [
    { kind: 'wants', value: 0 },
    { kind: 'settle' },
    { kind: 'wants', value: 2 },
    { kind: 'host', value: 5, as: 'pinned' },
    { kind: 'wants', value: 7 },
    { kind: 'deny', value: 3 },
  ],
}

/** What git says: kept beside the world, because a commit says all of it again. */
export type Git = {
  version: string
  denied: readonly string[]
  readonly hosts: Map<string, HostDeclaration>
}

export type Memory = { readonly world: World; readonly git: Git; readonly plan: MemoryCase['plan'] }

export function startMemory(random: MemoryCase, check: Parameters<typeof startCase>[1]): Memory {
  const git: Git = { version: '1.0.0', denied: [], hosts: new Map() }
  return { world: startCase({ ...random, operations: [] }, check), git, plan: random.plan }
}

export function performMemory(memory: Memory, each: MemoryOperation): void {
  const { git, plan, world } = memory
  switch (each.kind) {
    case 'wants':
      git.version = versionOf(each.value)
      return commit(memory)
    case 'gitDenies':
      git.denied = each.value < 4 ? [imageOf(versionOf(each.value)).digest] : []
      return commit(memory)
    case 'host':
      declare(memory, each.value, each.as)
      return commit(memory)
    case 'deny':
    case 'allow': {
      const { digest } = imageOf(versionOf(each.value))
      return dispatch(world, { kind: each.kind, fleet: 'edge', digest, actor: 'kim', reason: '' })
    }
    case 'halt':
    case 'unhalt': {
      const fleet = each.value % 2 === 0 ? null : 'edge'
      return dispatch(world, { kind: each.kind, fleet, actor: 'kim', reason: '' })
    }
    case 'wipe':
      world.crashAfterWrites = null
      return wipe(world)
    case 'again':
    case 'back':
    case 'crash':
    case 'cutOff':
    case 'git':
    case 'ill':
    case 'join':
    case 'move':
    case 'none':
    case 'pass':
    case 'pause':
    case 'restart':
    case 'resume':
    case 'settle':
    case 'silence':
    case 'timer':
      perform(world, plan, each)
  }
}

function declare({ git, world }: Memory, value: number, as: 'held' | 'pinned' | 'moved' | 'free'): void {
  const name = [...world.agents.keys()][value % world.agents.size] as string
  const pin = as === 'pinned' ? imageOf(versionOf(value)).digest : null
  const hold = as === 'held' ? { untilMs: world.wallMs + 3_600_000, reason: 'repair' } : null
  const labels: HostDeclaration['labels'] = as === 'moved' ? { site: 'other' } : {}
  if (as === 'free') git.hosts.delete(name)
  else git.hosts.set(name, { name, labels, pin, hold })
}

export function commit({ git, plan, world }: Memory): void {
  const fleet: WantedFleet = {
    name: 'edge',
    selector: {
      kind: 'match',
      labels: {},
      expressions: [{ key: 'site', operator: 'DoesNotExist', values: [] }],
    },
    strategy: plan,
    suspend: false,
    revision: `rev-${git.version}`,
    image: imageOf(git.version),
    follows: null,
    // Named, so that the version of what hosts run at first is known too.
    pins: ['0.0.0', ...versions].map(imageOf),
    requires: [{ below: '3.0.0', via: imageOf('2.5.0'), reason: 'new keys' }],
    downgrade: 'Deny',
    deny: git.denied.map((digest) => ({ digest, reason: 'issue 7' })),
  }
  want(world, [fleet], `commit-${git.version}`, { freezes: [], hosts: [...git.hosts.values()] })
}

/** Everybody answers, nothing is held, denied or halted any more, and git names what is good. */
export function makeGood(memory: Memory): void {
  const { git, world } = memory
  world.crashAfterWrites = null
  git.hosts.clear()
  git.denied = []
  git.version = '9.0.0'
  for (const fleet of [null, 'edge']) dispatch(world, { kind: 'unhalt', fleet, actor: 'kim', reason: '' })
  for (const version of versions) {
    const { digest } = imageOf(version)
    dispatch(world, { kind: 'allow', fleet: 'edge', digest, actor: 'kim', reason: '' })
  }
  commit(memory)
  for (const agent of world.agents.values()) {
    agent.behaviour = 'good'
    agent.ill = false
    connect(world, agent)
  }
  pass(world, 8 * hourMs)
}
