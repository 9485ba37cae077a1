import { expect, it } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, rolledOut, say, why } from '../../test/support/rollout-fleet.ts'
import { enrol, newWorld, pass, restart, silence, want } from '../../test/support/rollout-world.ts'

const plan = { rollout: 'edge.7', generation: 7, attempt: 1, term: 1, counter: 1 }

it('takes the same image for stable again wherever as many hosts run one as another', () => {
  for (const versions of [
    ['1.0.0', '1.5.0'],
    ['1.5.0', '1.0.0'],
  ]) {
    const world = newWorld()
    for (const [index, version] of versions.entries()) {
      say(world, enrol(world, `h${index}`, imageOf(version).digest), { plan, phase: 'Healthy' })
    }
    want(world, [fleetWith('2.0.0', { suspend: true })], 'c1')
    pass(world, 120_000)
    expect(world.store.fleets.get('edge')?.stable?.image).toMatchObject({ ...imageOf('1.0.0'), version: '' })
  }
})

it('learns the manifest of what is stable from the hosts that know theirs', () => {
  const world = newWorld()
  const { digest, manifests } = imageOf('1.0.0')
  const reported = { plan, phase: 'Healthy' } as const
  say(world, enrol(world, 'h0', digest), { ...reported, bootedManifestDigest: null })
  say(world, enrol(world, 'h1', digest), reported)
  want(world, [fleetWith('2.0.0', { suspend: true })], 'c1')
  pass(world, 120_000)
  expect(world.store.fleets.get('edge')?.stable?.image).toMatchObject({ digest, manifests })
})

it('learns no stable image where every host runs what git wants', () => {
  const world = newWorld()
  say(world, enrol(world, 'h0', imageOf('2.0.0').digest), { plan, phase: 'Healthy' })
  want(world, [fleetWith('2.0.0', { suspend: true })], 'c1')
  pass(world, 120_000)
  expect(world.store.fleets.get('edge')).toMatchObject({ stable: null, denied: [] })
})

it('goes on from the newest rollout that any host knows', () => {
  const world = newWorld()
  for (const generation of [7, 8]) {
    const agent = enrol(world, `h${generation}`, imageOf('1.0.0').digest)
    say(world, agent, { plan: { ...plan, rollout: `edge.${generation}`, generation }, phase: 'Healthy' })
  }
  want(world, [fleetWith('2.0.0')], 'c1')
  pass(world, 120_000)
  expect([...world.store.rollouts.keys()]).toEqual(['edge.9'])
})

it('learns at once where every host that was enrolled was heard, and waits for one that is silent', () => {
  for (const isSilent of [false, true]) {
    const world = rolledOut('1.0.0', 2)
    for (const lost of [world.store.fleets, world.store.rollouts, world.store.grants, world.store.hosts]) {
      lost.clear()
    }
    if (isSilent) for (const agent of [...world.agents.values()].slice(1)) silence(world, agent)
    world.wanted = null
    restart(world)
    want(world, [fleetWith('2.0.0', { suspend: true })], 'c2')
    const stable = () => world.store.fleets.get('edge')?.stable?.image.digest
    expect(stable()).toBe(isSilent ? undefined : imageOf('1.0.0').digest)
    pass(world, 60_000)
    expect(stable()).toBe(imageOf('1.0.0').digest)
    expect(why(world, 'h0')).toBe('Suspended')
  }
})
