import { describe, expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, nowOf, rolledOut } from '../../test/support/rollout-fleet.ts'
import { settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { explain } from './explain.ts'
import { describeFleets } from './fleet-views.ts'
import type { WantedFleet } from './wanted.ts'

const unverified = 'verifying os@sha256:2: no signature was found'
const unsigned: Partial<WantedFleet> = { unverified, image: null, revision: '' }

const edge = (world: World) => describeFleets(world.state, nowOf(world))[0]
const grants = (world: World) => [...world.state.hosts.values()].flatMap(({ grants: all }) => [...all.keys()])

describe('an image without the signature that git asks for', () => {
  it('leaves a fleet on what it has, and says so of the fleet and of its hosts', () => {
    const world = rolledOut('1.0.0', 2)
    want(world, [{ ...fleetWith('1.0.0'), unverified }], 'c2')
    settleAll(world)
    expect(edge(world)).toMatchObject({ state: 'Pending', digest: imageOf('1.0.0').digest })
    expect(edge(world)?.message).toMatch(
      /^nothing is granted: .*no signature was found; it is looked at again/,
    )
    expect(explain(world.state, 'h0', nowOf(world))).toEqual({ kind: 'Unverified', message: unverified })
    expect(new Set(grants(world))).toEqual(new Set(['edge.1']))
    want(world, [fleetWith('2.0.0')], 'c3')
    settleAll(world)
    expect(edge(world)).toMatchObject({ state: 'Synced', digest: imageOf('2.0.0').digest })
  })

  it('ends every grant where also what the fleet has does not have it', () => {
    const world = rolledOut('1.0.0', 2)
    want(world, [{ ...fleetWith('1.0.0'), ...unsigned }], 'c2')
    settleAll(world)
    expect(edge(world)).toMatchObject({ state: 'Pending', message: expect.stringContaining(unverified) })
    expect(world.state.hosts.get('h0')?.grants.get('edge.1')?.phase).toBe('Succeeded')
    expect(explain(world.state, 'h0', nowOf(world)).kind).toBe('Unverified')
  })

  it('goes on where a rollout of what has it was under way', () => {
    const world = rolledOut('1.0.0', 2)
    want(world, [fleetWith('2.0.0')], 'c2')
    want(world, [{ ...fleetWith('2.0.0'), unverified }], 'c3')
    expect(edge(world)).toMatchObject({ state: 'Progressing', message: expect.stringContaining(unverified) })
    settleAll(world)
    expect(edge(world)).toMatchObject({ state: 'Pending', digest: imageOf('2.0.0').digest })
  })
})
