import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import type { SimulatedAgent } from '../../test/support/rollout-agent.ts'
import {
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  strategyWith,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, move, newWorld, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { explain } from './engine.ts'
import { waveOf } from '../desired-state/strategy-defaults.ts'

const minuteMs = 60_000
const soaking = strategyWith({
  waves: [waveOf('all', { kind: 'percent', percent: 100 }, 60 * minuteMs)],
})

/** As often as the controller gives it another attempt, at most ten times. */
function cutOffAgainAndAgain(world: World, agent: SimulatedAgent): number {
  for (let times = 0; times < 10; times += 1) {
    const before = agent.boots
    agent.behaviour = 'cutOff'
    while (agent.behaviour === 'cutOff' && move(world, agent)) continue
    if (agent.boots === before) return times
  }
  throw new Error('no end of attempts')
}

function joinerOf(world: World): SimulatedAgent {
  world.wallMs += minuteMs
  const joiner = enrol(world, 'joiner', imageOf('0.0.0').digest)
  dispatch(world, { kind: 'timer' })
  return joiner
}

describe('a host that reached nobody, before and after its fallback', () => {
  it('is given three attempts by the keeper, and is then left alone', () => {
    const world = rolledOut('1.0.0')
    const joiner = joinerOf(world)
    expect(cutOffAgainAndAgain(world, joiner)).toBe(3)
    expect(phaseOf(world, 'joiner')).toBe('Inconclusive')
    expect(explain(world.state, 'joiner', nowOf(world))).toMatchObject({
      kind: 'Ended',
      message: expect.stringContaining('reached neither controller'),
    })
    expect(rolloutView(world)).toMatchObject({
      state: 'Succeeded',
      attention: [{ hostName: 'joiner', phase: 'Inconclusive' }],
    })
    expect(world.store.fleets.get('edge')?.denied).toEqual([])
  })

  it('is given three attempts to take stable while another image is on trial', () => {
    const world = rolledOut('1.0.0')
    want(world, [fleetWith('2.0.0', { strategy: soaking })], 'c2')
    settleAll(world)
    expect(cutOffAgainAndAgain(world, joinerOf(world))).toBe(3)
    expect(phaseOf(world, 'joiner')).toBe('Inconclusive')
  })

  it('gets the next image as if nothing had been', () => {
    const world = rolledOut('1.0.0')
    const joiner = joinerOf(world)
    cutOffAgainAndAgain(world, joiner)
    joiner.behaviour = 'good'
    want(world, [fleetWith('2.0.0')], 'c2')
    settleAll(world)
    expect(joiner.digest).toBe(imageOf('2.0.0').digest)
  })

  it('is skipped in the counts of a rollout that was replaced, and takes a slot like a sound host', () => {
    const world = rolledOut('1.0.0')
    const [agent] = world.agents.values()
    if (agent === undefined) throw new Error('no host')
    want(world, [fleetWith('2.0.0')], 'c2')
    dispatch(world, { kind: 'timer' })
    agent.behaviour = 'cutOff'
    while (agent.phase !== 'RollingBack') move(world, agent)
    want(world, [fleetWith('3.0.0')], 'c3')
    settleAll(world)
    const grants = [...world.store.grants.values()]
    expect(grants.find(({ rolloutId }) => rolloutId === 'edge.2')).toMatchObject({ phase: 'Inconclusive' })
    expect(grants.find(({ rolloutId }) => rolloutId === 'edge.3')).toMatchObject({
      phase: 'Succeeded',
      brokenBefore: false,
      activateGrantedAtMs: world.wallMs,
      retries: { download: 0, stage: 0 },
      notBeforeMs: null,
      failures: 0,
      retried: null,
    })
  })

  it('corrects a time-out that we decreed while we could not hear it', () => {
    const world = newWorld()
    const agent = enrol(world, 'h0', imageOf('0.0.0').digest)
    want(world, [fleetWith('1.0.0')], 'c1')
    dispatch(world, { kind: 'timer' })
    while (agent.phase !== 'Rebooting') move(world, agent)
    world.wallMs += 600 * minuteMs
    dispatch(world, { kind: 'timer' })
    expect(phaseOf(world, 'h0')).toBe('TimedOut')
    const failure = { code: 'Inconclusive', message: 'nobody answers', evidence: [] }
    say(world, agent, { phase: 'RolledBack', failure })
    expect(phaseOf(world, 'h0')).toBe('Inconclusive')
  })
})
