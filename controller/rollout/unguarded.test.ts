import { describe, expect, it } from 'vitest'
import { agentOf, declared, grantOf } from '../../test/support/host-arguments.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
} from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import type { HostDeclaration } from '../desired-state/types.ts'
import { describeHosts, explain } from './engine.ts'
import type { Host } from './state.ts'
import { whyHost } from './why.ts'

const allowed = declared([], { allowUnguardedBoot: true })
const digest = (version: string): string => imageOf(version).digest

/** h0 says that its boot loader counts no tries. */
function unguarded(count = 1): World {
  const world = rolledOut('1.0.0', count)
  agentOf(world).unguarded = true
  say(world, agentOf(world))
  return world
}

function wantNext(world: World, hosts: readonly HostDeclaration[], version = '2.0.0', commit = 'c2'): void {
  want(world, [fleetWith(version)], commit, { hosts })
  settleAll(world)
}

describe('a host whose boot loader counts no tries', () => {
  it('is granted nothing, and says why and what to do; the rollout goes on without it', () => {
    const world = unguarded(3)
    wantNext(world, [])
    expect(agentOf(world).digest).toBe(digest('1.0.0'))
    expect(agentOf(world, 'h1').digest).toBe(digest('2.0.0'))
    expect(rolloutView(world).state).toBe('Succeeded')
    expect(grantOf(world, 'edge.2')).toBeUndefined()
    const host = world.state.hosts.get('h0') as Host
    expect(whyHost(world.state, host, nowOf(world))).toMatchObject({
      reason: 'Unguarded',
      message: expect.stringContaining('no automatic fallback: its boot loader cannot count tries') as string,
      next: expect.stringContaining('Host h0 in git says allowUnguardedBoot: true') as string,
    })
    const [view] = describeHosts(world.state, null, nowOf(world))
    expect(view).toMatchObject({ name: 'h0', reason: 'Unguarded' })
  })

  it('is updated where git allows it, and no more when git takes that back', () => {
    const world = unguarded()
    wantNext(world, allowed)
    expect(agentOf(world).digest).toBe(digest('2.0.0'))
    wantNext(world, [], '3.0.0', 'c3')
    expect(agentOf(world).digest).toBe(digest('2.0.0'))
    wantNext(world, declared([], {}), '3.0.0', 'c4')
    expect(agentOf(world).digest).toBe(digest('2.0.0'))
    wantNext(world, allowed, '3.0.0', 'c5')
    expect(agentOf(world).digest).toBe(digest('3.0.0'))
  })

  it('is updated as soon as it can count', () => {
    const world = unguarded()
    wantNext(world, [])
    delete agentOf(world).unguarded
    say(world, agentOf(world))
    settleAll(world)
    expect(agentOf(world).digest).toBe(digest('2.0.0'))
  })

  it('loses what it was granted and did not activate when it says so only then', () => {
    const world = rolledOut('1.0.0')
    want(world, [fleetWith('2.0.0')], 'c2')
    dispatch(world, { kind: 'timer' })
    expect(grantOf(world, 'edge.2')).toMatchObject({ phase: 'Granted' })
    agentOf(world).unguarded = true
    say(world, agentOf(world))
    expect(phaseOf(world, 'h0')).toBe('Removed')
    expect(grantOf(world, 'edge.2')).toMatchObject({
      message: 'its boot loader counts no tries, and git allows no unguarded boot',
    })
    settleAll(world)
    expect(agentOf(world).digest).toBe(digest('1.0.0'))
  })

  it('stays allowed to go on while a controller that starts anew has not read git', () => {
    const world = unguarded()
    want(world, [fleetWith('2.0.0')], 'c2', { hosts: allowed })
    dispatch(world, { kind: 'timer' })
    restart(world)
    say(world, agentOf(world))
    expect(grantOf(world, 'edge.2')?.phase).not.toBe('Removed')
    settleAll(world)
    expect(agentOf(world).digest).toBe(digest('2.0.0'))
  })

  it('keeps its fleet waiting where no other host is there, and the fleet says so', () => {
    const world = unguarded()
    wantNext(world, [])
    expect(fleetView(world)).toMatchObject({
      state: 'Pending',
      message: 'its only host is kept back: "bootfleet why host/h0" says by what',
    })
    const two = unguarded(2)
    agentOf(two, 'h1').unguarded = true
    say(two, agentOf(two, 'h1'))
    wantNext(two, [])
    expect(fleetView(two)).toMatchObject({
      state: 'Pending',
      message: 'all its 2 hosts are kept back: "bootfleet why host/h0" says by what that one is',
    })
  })

  it('is told apart in what its fleet says from hosts that have never reported', () => {
    const world = newWorld()
    enrol(world, 'h0', digest('0.0.0'))
    agentOf(world).unguarded = true
    say(world, agentOf(world))
    const enrolment = { hostId: 'h1', name: 'h1', labels: {}, enrolledAtMs: world.wallMs }
    dispatch(world, { kind: 'enrolled', enrolment })
    want(world, [fleetWith('1.0.0')], 'c1')
    for (let minutes = 0; minutes < 10; minutes += 1) {
      world.wallMs += 60_000
      dispatch(world, { kind: 'timer' })
    }
    expect(fleetView(world)).toMatchObject({
      state: 'Pending',
      message:
        '1 of its 2 hosts are kept back ("bootfleet why host/h0" says by what), and the others have never reported',
    })
  })

  it('is told so before its fleet has any rollout', () => {
    const world = newWorld()
    enrol(world, 'h0', digest('0.0.0'))
    want(world, [fleetWith('1.0.0', { image: null })], 'c1')
    agentOf(world).unguarded = true
    say(world, agentOf(world))
    expect(explain(world.state, 'h0', nowOf(world))).toEqual({ kind: 'Unguarded', host: 'h0' })
  })
})
