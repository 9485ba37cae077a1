import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { acceptedPlan, boot, restart, settle, take, turn, versionOf } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { BEHAVIOUR, NOW_MS, newWorld } from '../testing/world.ts'
import type { FailedEvent } from './types.ts'

type Happening =
  | { readonly kind: 'turn' }
  | { readonly kind: 'crashBefore' }
  | { readonly kind: 'crashAfter' }
  | { readonly kind: 'powerCut' }
  | { readonly kind: 'failure'; readonly retryable: boolean }
  | { readonly kind: 'plan'; readonly version: string; readonly stage: boolean; readonly activate: boolean }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'turn' } as const) },
  fc.constant({ kind: 'crashBefore' } as const),
  fc.constant({ kind: 'crashAfter' } as const),
  fc.constant({ kind: 'powerCut' } as const),
  fc.record({ kind: fc.constant('failure' as const), retryable: fc.boolean() }),
  fc.record({
    kind: fc.constant('plan' as const),
    version: fc.constantFrom('0', '1', '2', '3', '4', '5'),
    stage: fc.boolean(),
    activate: fc.boolean(),
  }),
)

function happen(world: World, what: Happening, counter: number): void {
  switch (what.kind) {
    case 'turn':
      turn(world, BEHAVIOUR, NOW_MS)
      break
    case 'crashBefore':
      restart(world, NOW_MS)
      break
    case 'crashAfter':
      turn(world, BEHAVIOUR, NOW_MS, true)
      break
    case 'powerCut':
      boot(world.host, BEHAVIOUR)
      restart(world, NOW_MS)
      break
    case 'failure':
      fail(world, what.retryable)
      break
    case 'plan':
      publish(world, what, counter)
      break
  }
}

/** The operation that runs fails without having done anything. */
function fail(world: World, retryable: boolean): void {
  if (world.pending.length === 0) return
  world.pending = []
  const { operation } = world.disk
  const event: FailedEvent = {
    kind: 'failed',
    operation,
    code: 'Injected',
    message: 'injected',
    retryable,
    random: 0,
  }
  take(world, event, NOW_MS)
}

function publish(world: World, what: Extract<Happening, { kind: 'plan' }>, counter: number): void {
  // An answer came with the plan.
  world.disk = { ...world.disk, reachableAtMs: NOW_MS }
  const plan = acceptedPlan(what.version, {
    counter,
    generation: counter,
    stageUntilMs: what.stage ? 1_000_000 : null,
    activateUntilMs: what.activate ? 1_000_000 : null,
    health: { ...acceptedPlan('0').health, reachController: true },
  })
  take(world, { kind: 'planAccepted', plan }, NOW_MS)
}

/** Let every delay pass and every operation end. */
function calm(world: World): void {
  for (let round = 1; round <= 30; round += 1) {
    settle(world, BEHAVIOUR, NOW_MS)
    take(world, { kind: 'timer' }, NOW_MS + round * 10_000)
  }
  settle(world, BEHAVIOUR, NOW_MS)
}

it('converges to what the last plan wants, whatever crashed, failed or was withdrawn before', () => {
  fc.assert(
    fc.property(
      fc.array(happening, { maxLength: 60 }),
      fc.constantFrom('1', '2', '3', '4', '5'),
      (story, last) => {
        const world = newWorld()
        for (const [index, what] of story.entries()) happen(world, what, index + 1)
        calm(world)
        const counter = story.length + 1
        publish(world, { kind: 'plan', version: last, stage: true, activate: true }, counter)
        calm(world)
        const { host, disk } = world
        expect(host.currentId).toBe(host.defaultId)
        const broken = [...BEHAVIOUR.sick, ...BEHAVIOUR.dead, ...BEHAVIOUR.offline].includes(last)
        const denied = disk.deniedDigests.includes(acceptedPlan(last).image.digest)
        if (!broken && !denied) {
          expect(disk.at.phase).toBe('Healthy')
          expect(versionOf(host.currentId)).toBe(last)
        } else {
          expect(['RolledBack', 'Failed']).toContain(disk.at.phase)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

it('never activates a deployment twice, nor an image again that failed', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (story) => {
      const world = newWorld()
      for (const [index, what] of story.entries()) {
        const before = world.host.activations.length
        const deniedBefore = new Set(world.disk.deniedDigests)
        happen(world, what, index + 1)
        for (const id of world.host.activations.slice(before)) {
          expect(deniedBefore.has(acceptedPlan(versionOf(id)).image.digest)).toBe(false)
        }
      }
      calm(world)
      const { activations } = world.host
      expect(new Set(activations).size).toBe(activations.length)
    }),
    { numRuns: 2_000 },
  )
})

it('starts no activation that the newest plan does not grant', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (story) => {
      const world = newWorld()
      for (const [index, what] of story.entries()) {
        const committing = world.pending.some(({ kind }) => kind === 'activate')
        happen(world, what, index + 1)
        const begun = world.pending.some(({ kind }) => kind === 'activate')
        if (begun && !committing) expect(world.disk.accepted?.activateUntilMs).not.toBeNull()
      }
    }),
    { numRuns: 2_000 },
  )
})

it.each(['1', '3', '4', '5'])('ends the same for image %s wherever the process is killed', (version) => {
  const outcome = (world: World) => [
    world.disk.at.phase,
    versionOf(world.host.currentId),
    world.disk.deniedDigests,
  ]
  const publishAndRun = (killAt: number | null, crashAfter: boolean): World => {
    const world = newWorld()
    publish(world, { kind: 'plan', version, stage: true, activate: true }, 1)
    for (let turns = 0; world.pending.length > 0 && turns < 50; turns += 1) {
      if (turns !== killAt) turn(world, BEHAVIOUR, NOW_MS)
      else if (crashAfter) turn(world, BEHAVIOUR, NOW_MS, true)
      else restart(world, NOW_MS)
    }
    return world
  }
  const expected = outcome(publishAndRun(null, false))
  for (let killAt = 0; killAt < 10; killAt += 1) {
    for (const crashAfter of [false, true])
      expect(outcome(publishAndRun(killAt, crashAfter))).toEqual(expected)
  }
})
