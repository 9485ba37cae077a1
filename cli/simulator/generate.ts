import type { Selector } from '../../controller/desired-state/types.ts'
import type { WantedFleet } from '../../controller/rollout/wanted.ts'
import { randomFaults } from './generate-faults.ts'
import { randomDeclarations, randomFleetRules, randomFreezes, randomOrder } from './generate-rules.ts'
import type { Plot } from './generate-rules.ts'
import { randomStrategy } from './generate-strategy.ts'
import { madeUpImage } from './images.ts'
import { between, pick, randomOf } from './random.ts'
import type { Random } from './random.ts'
import type { Operation, Scenario, SimulatedHostSpec, SimulatedImage } from './scenario.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

export type Sizes = { readonly hostsMin: number; readonly hostsMax: number }
export const testSizes: Sizes = { hostsMin: 3, hostsMax: 60 }

/** The evening before a night that is long or short somewhere, an ordinary one, and the end of a leap day. */
const starts = [
  /* clocks go forward in Europe */ 1_774_728_000_000, /* back in Europe */ 1_792_872_000_000,
  /* back in America */ 1_793_498_400_000, /* forward in America */ 1_772_946_000_000,
  /* an ordinary night */ 1_767_225_600_000, /* a leap day ends */ 1_835_460_000_000,
]

/** Everything that happens in this seed's world, as data: what is left out when it is shrunk is just not there. */
export function randomScenario(seed: number, sizes: Sizes): Scenario {
  const random = randomOf(seed, 'scenario')
  const fleets = random() < 0.25 ? ['edge', 'core'] : ['edge']
  const images = randomImages(random)
  const hosts = randomHosts(random, sizes, { fleets, first: images[0] as SimulatedImage })
  const durationMs = pick(random, [12 * hourMs, dayMs, 2 * dayMs, 14 * dayMs])
  const startMs = pick(random, starts)
  const plot = { fleets, images, hosts, startMs, durationMs }
  const operations = randomOperations(randomOf(seed, 'operations'), plot)
  const faults = randomFaults(randomOf(seed, 'faults'), { hosts, durationMs })
  return {
    seed,
    startMs,
    durationMs,
    images,
    hosts,
    operations,
    faults,
    analyses: pick(random, [
      { failureRate: 0, inconclusiveRate: 0 },
      { failureRate: 0.05, inconclusiveRate: 0.05 },
      { failureRate: 0.3, inconclusiveRate: 0 },
    ]),
    approvedAfterMs: pick(random, [minuteMs, hourMs, null]),
  }
}

function randomImages(random: Random): readonly SimulatedImage[] {
  return Array.from({ length: between(random, 3, 6) }, (_, index) => ({
    image: madeUpImage('registry.example/os', `42.${index}.0`),
    failureRate: index === 0 ? 0 : pick(random, [0, 0, 0.02, 0.3, 1]),
    bootFailureRate: index === 0 ? 0 : pick(random, [0, 0, 0.05]),
    networkLossRate: index === 0 ? 0 : pick(random, [0, 0, 0, 0.1]),
  }))
}

type Population = { readonly fleets: readonly string[]; readonly first: SimulatedImage }

function randomHosts(random: Random, sizes: Sizes, of: Population): readonly SimulatedHostSpec[] {
  // Small fleets are where rules meet their edges; large ones are where limits do.
  const most = random() < 0.5 ? Math.min(8, sizes.hostsMax) : sizes.hostsMax
  return Array.from(
    { length: between(random, sizes.hostsMin, Math.max(sizes.hostsMin, most)) },
    (_, index) => ({
      id: `host${index}`,
      name: `till-${index}`,
      labels: { fleet: pick(random, of.fleets), rack: `r${index % 4}` },
      architecture: random() < 0.2 ? 'arm64' : 'amd64',
      running: of.first.image,
      enrolledAtMs: random() < 0.85 ? 0 : between(random, 0, 10 * hourMs),
      slowness: pick(random, [1, 1, 1, 3]),
    }),
  )
}

function randomOperations(random: Random, plot: Plot): readonly Operation[] {
  const { durationMs, fleets, images } = plot
  const strategies = new Map(fleets.map((name) => [name, randomStrategy(random, name)]))
  const commits = Array.from({ length: between(random, 2, 6) }, (_, index): Operation => {
    const changed = fleets.map((name) => {
      if (random() < 0.3) strategies.set(name, randomStrategy(random, name))
      const strategy = strategies.get(name) ?? randomStrategy(random, name)
      const image = index === 0 ? (images[0] as SimulatedImage) : pick(random, images)
      const plain = plainFleet(name, strategy, image.image)
      return index === 0 ? plain : { ...plain, ...randomFleetRules(random, plot, plain) }
    })
    const kept = changed.filter(() => index === 0 || random() > 0.03)
    return {
      kind: 'commit',
      atMs: index === 0 ? minuteMs : between(random, 0, durationMs * 0.7),
      commit: `c${index}`,
      fleets: kept,
      hosts: index === 0 ? [] : randomDeclarations(random, plot),
      freezes: randomFreezes(random, plot),
    }
  })
  const orders = Array.from({ length: between(random, 0, 6) }, () => randomOrder(random, plot))
  return [...commits, ...orders].toSorted((a, b) => a.atMs - b.atMs)
}

export function plainFleet(
  name: string,
  strategy: WantedFleet['strategy'],
  image: NonNullable<WantedFleet['image']>,
): WantedFleet {
  const selector: Selector = { kind: 'match', labels: { fleet: name }, expressions: [] }
  return {
    name,
    selector,
    strategy,
    suspend: false,
    revision: `${name} ${image.version} ${strategy.health.stableForMs} ${strategy.health.reachController}`,
    image,
    follows: null,
    pins: [],
    requires: [],
    downgrade: 'Allow',
    deny: [],
  }
}
