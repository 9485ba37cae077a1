import { expect, it } from 'vitest'
import { acceptedPlan, restart } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { NOW_MS, accept, kindsOf, newWorld, worldIn } from '../testing/world.ts'

const HOUR_MS = 3_600_000

it('remembers as many denied digests as a report may carry, the newest', () => {
  const world = newWorld()
  const digests = Array.from({ length: 300 }, (_, index) => digestOf(`bad-${index}`))
  accept(world, acceptedPlan('1', { deny: digests.slice(0, 200) }))
  expect(world.disk.deniedDigests).toEqual(digests.slice(0, 200))
  accept(world, acceptedPlan('1', { counter: 2, deny: digests.slice(100) }))
  expect(world.disk.deniedDigests).toEqual(digests.slice(-256))
})

it('activates nothing by a clock that stands before its plan was made', () => {
  const issuedAtMs = 10 * HOUR_MS
  const waiting = acceptedPlan('1', { activateUntilMs: null })
  const world = worldIn('Staged', waiting)
  const plan = { ...waiting, issuedAtMs, activateUntilMs: issuedAtMs + HOUR_MS, counter: 2 }
  accept(world, plan, issuedAtMs - 6 * 60_000)
  expect(world.disk.at.phase).toBe('Staged')
  accept(world, { ...plan, counter: 3 }, issuedAtMs - 5 * 60_000)
  expect(kindsOf(world)).toEqual(['activate'])
})

it('gives no more time for a verdict than the plan, when the clock was set back', () => {
  const world = worldIn('Verifying')
  restart(world, NOW_MS - HOUR_MS)
  expect(world.pending).toMatchObject([{ kind: 'checkHealth', deadlineMs: 10_000 }])
})
