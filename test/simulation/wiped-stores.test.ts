import { expect, it } from 'vitest'
import { plainFleet, randomScenario, testSizes } from '../../cli/simulator/generate.ts'
import { randomStrategy } from '../../cli/simulator/generate-strategy.ts'
import { madeUpImage } from '../../cli/simulator/images.ts'
import { judgingWatch } from '../../cli/simulator/invariants/watch.ts'
import { runningOf } from '../../cli/simulator/machine.ts'
import { between, randomOf } from '../../cli/simulator/random.ts'
import { startWorld } from '../../cli/simulator/run.ts'
import type { Fault, Operation, Scenario } from '../../cli/simulator/scenario.ts'
import { together } from '../../cli/simulator/together.ts'
import { quietWatch } from '../../cli/simulator/world-model.ts'
import type { World } from '../../cli/simulator/world-model.ts'
import { runUntil } from '../../cli/simulator/world.ts'
import { engine } from './seeds.ts'

const SEEDS = 100
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const rolloutAtMs = 2 * hourMs
/** By then the longest of the rollouts has ended, or waits for what nobody does. */
const durationMs = 7 * 24 * hourMs

/** One fleet of any strategy goes from one image to the next, which is good or, in a third of them, bad everywhere. */
function scenarioOf(seed: number): Scenario {
  const random = randomOf(seed, 'wiped stores')
  const { hosts, startMs } = randomScenario(seed, testSizes)
  const [first, second] = ['42.0.0', '42.1.0'].map((version) => madeUpImage('registry.example/os', version))
  if (first === undefined || second === undefined) throw new Error('no images')
  const made = randomStrategy(random, 'edge')
  // A host that is too slow for its deadline fails by luck, and luck is not what is compared.
  const deadlines = { ...made.deadlines, downloadMs: 4 * hourMs }
  // One that must not be empty waits for a person where hosts are known only after it has begun, as after a wipe.
  const waves = made.waves.map((wave) => ({ ...wave, onEmpty: 'Skip' as const }))
  const strategy = { ...made, deadlines, waves }
  const commit = (atMs: number, image: typeof first): Operation => ({
    kind: 'commit',
    atMs,
    commit: image.version ?? '',
    fleets: [plainFleet('edge', strategy, image)],
    hosts: [],
    freezes: [],
  })
  const isBad = seed % 3 === 0
  const good = { failureRate: 0, bootFailureRate: 0, networkLossRate: 0 }
  return {
    seed,
    startMs,
    durationMs,
    images: [
      { image: first, ...good },
      { image: second, ...good, failureRate: isBad ? 1 : 0 },
    ],
    hosts: hosts.map((host) => ({
      ...host,
      labels: { ...host.labels, fleet: 'edge' },
      running: first,
      enrolledAtMs: 0,
    })),
    operations: [commit(minuteMs, first), commit(rolloutAtMs, second), ...resumed()],
    faults: [],
    analyses: { failureRate: 0, inconclusiveRate: 0 },
    approvedAfterMs: minuteMs,
  }
}

/** An operator who looks after it: whatever is paused goes on. */
function resumed(): readonly Operation[] {
  const times = Math.floor((durationMs - rolloutAtMs) / (6 * hourMs))
  return Array.from({ length: times }, (_, index) => ({
    kind: 'resume',
    atMs: rolloutAtMs + (index + 1) * 6 * hourMs,
    fleet: 'edge',
  }))
}

/** While the rollout goes on: everything in the store is gone, one to three times. */
function wipesOf(seed: number, endedAtMs: number): readonly Fault[] {
  const random = randomOf(seed, 'wipes')
  return Array.from({ length: between(random, 1, 3) }, () => ({
    kind: 'storeWiped',
    atMs: between(random, rolloutAtMs, Math.max(rolloutAtMs, endedAtMs)),
    downMs: between(random, 1, 900) * 1000,
  }))
}

type End = { readonly running: ReadonlyMap<string, string | null>; readonly endedAtMs: number }

/** Every step is judged by the invariants on the way. */
function endOf(scenario: Scenario): End {
  let endedAtMs = rolloutAtMs
  const noting = {
    ...quietWatch,
    onBooted: (world: World) => {
      endedAtMs = world.elapsedMs
    },
  }
  const world = startWorld(scenario, engine, together([noting, judgingWatch(true)]))
  runUntil(world, durationMs)
  const running = new Map([...world.hosts].map(([id, { machine }]) => [id, runningOf(machine).digest]))
  return { running, endedAtMs }
}

it('ends where it would have ended, though the store is wiped at random moments of the rollout', () => {
  const moved = new Set<string | null>()
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const scenario = scenarioOf(seed)
    const undisturbed = endOf(scenario)
    const wiped = { ...scenario, faults: wipesOf(seed, undisturbed.endedAtMs) }
    expect(endOf(wiped).running, `seed ${seed}`).toEqual(undisturbed.running)
    for (const digest of undisturbed.running.values()) moved.add(digest)
  }
  // Some rollouts went through, and some came back.
  expect(moved.size).toBe(2)
})
