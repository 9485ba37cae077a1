import { between, pick } from './random.ts'
import type { Random } from './random.ts'
import type { Fault, SimulatedHostSpec } from './scenario.ts'

const secondMs = 1_000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

type Stage = { readonly hosts: readonly SimulatedHostSpec[]; readonly durationMs: number }

const makers: readonly ((random: Random, stage: Stage) => Omit<Fault, 'atMs'>)[] = [
  (random, { hosts }) => ({ kind: 'hostDies', host: pick(random, hosts).id }),
  (random, { hosts }) => ({ kind: 'hostAway', host: pick(random, hosts).id, forMs: awayMs(random) }),
  (random, { hosts }) => ({ kind: 'hostAway', host: pick(random, hosts).id, forMs: awayMs(random) }),
  (random, { hosts }) => ({ kind: 'hostOff', host: pick(random, hosts).id, forMs: awayMs(random) }),
  (random, { hosts }) => ({
    kind: 'hostFlaps',
    host: pick(random, hosts).id,
    times: between(random, 2, 12),
    everyMs: between(random, 1, 10) * minuteMs,
  }),
  (random, { hosts }) => ({ kind: 'agentCrash', host: pick(random, hosts).id }),
  (random, { hosts }) => ({ kind: 'movedByHand', host: pick(random, hosts).id }),
  (random, { hosts }) => ({
    kind: 'hostLies',
    host: pick(random, hosts).id,
    architecture: pick(random, ['arm64', 'amd64', 'riscv64']),
  }),
  (random, { hosts }) => ({
    kind: 'hostClock',
    host: pick(random, hosts).id,
    byMs: between(random, -240, 240) * minuteMs,
  }),
  (random) => ({ kind: 'controllerCrash', afterWrites: between(random, 0, 6), downMs: downMs(random) }),
  (random) => ({ kind: 'controllerCrash', afterWrites: between(random, 0, 6), downMs: downMs(random) }),
  (random) => ({ kind: 'controllerStop', downMs: downMs(random) }),
  (random) => ({ kind: 'storeRestart', afterWrites: between(random, 0, 6), downMs: downMs(random) }),
  (random) => ({ kind: 'storeRestart', afterWrites: between(random, 0, 6), downMs: downMs(random) }),
  (random) => ({ kind: 'storeWiped', downMs: downMs(random) }),
  (random) => ({ kind: 'controllerClock', byMs: between(random, -120, 120) * minuteMs }),
  (random) => ({
    kind: 'badNetwork',
    forMs: between(random, 10, 600) * minuteMs,
    rates: { lost: random() * 0.1, doubled: random() * 0.3, late: random() * 0.3 },
  }),
]

/** Seconds, minutes, hours, and now and then weeks. */
function awayMs(random: Random): number {
  return pick(random, [
    between(random, 1, 90) * secondMs,
    between(random, 1, 90) * minuteMs,
    hourMs * 9,
    21 * dayMs,
  ])
}

function downMs(random: Random): number {
  return pick(random, [secondMs, 15 * secondMs, between(random, 1, 40) * minuteMs, 5 * hourMs])
}

/** Half of them soon after a commit is likely, where they meet a rollout. */
export function randomFaults(random: Random, stage: Stage): readonly Fault[] {
  const count = random() < 0.15 ? 0 : between(random, 1, 24)
  return Array.from({ length: count }, () => {
    const atMs = between(
      random,
      0,
      random() < 0.5 ? Math.min(stage.durationMs, 8 * hourMs) : stage.durationMs,
    )
    return { ...pick(random, makers)(random, stage), atMs } as Fault
  }).toSorted((a, b) => a.atMs - b.atMs)
}
