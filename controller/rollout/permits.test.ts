import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import { permitsFor } from './permits.ts'
import type { WantedPermit } from './wanted.ts'

const image = { ...imageOf('1.0.0'), manifestDigest: 'the manifest' }
const { repository, digest } = image
const permitted = (envelope: string, changes: Partial<WantedPermit> = {}): WantedPermit => {
  return { repository, hosts: null, image: { kind: 'LowestVersion', version: '1.0.0' }, envelope, ...changes }
}
const exactly = (named: string): WantedPermit =>
  permitted(named, { image: { kind: 'Digest', digest: named } })
const from = (version: string): WantedPermit =>
  permitted(version, { image: { kind: 'LowestVersion', version } })
const told = (...permits: readonly WantedPermit[]): readonly string[] =>
  permitsFor(permits, { hostId: 'h0', image }).permits ?? []

test('a host gets what names it or its whole fleet, and no more than a plan can carry', () => {
  const others = [
    permitted('another repository', { repository: 'r.example/other' }),
    permitted('another host', { hosts: ['h1'] }),
  ]
  const its = permitted('its own', { hosts: ['h0'] })
  expect(told(...others, its, permitted('one'), permitted('two'))).toEqual(['its own', 'one'])
  expect(permitsFor(others, { hostId: 'h0', image })).toEqual({})
})

test('those for other images take no place from those that count', () => {
  const another = exactly('another image')
  expect(told(another, from('1.0.1'), from('1.1'), exactly(digest))).toEqual([digest])
  expect(told(another, exactly('the manifest'), from('0.9'))).toEqual(['the manifest', '0.9'])
})

test('whether a version that nobody can compare is covered is for the host to say', () => {
  expect(permitsFor([from('1.0')], { hostId: 'h0', image: { ...image, version: '' } })).toEqual({
    permits: ['1.0'],
  })
})

test('permits are in the plans of hosts, also in those of a leader that has not read git yet', () => {
  const published: unknown[] = []
  const world = newWorld((_event, { publishes }) =>
    published.push(...publishes.map(({ permits }) => permits)),
  )
  enrol(world, 'h0', imageOf('0.0.0').digest)
  want(world, [fleetWith('1.0.0', { permits: [permitted('signed')] })], 'c1')
  while (published.length === 0 && world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  world.wanted = null
  const before = published.length
  restart(world)
  settleAll(world)
  expect(published.length).toBeGreaterThan(before)
  expect([...new Set(published.map((permits) => JSON.stringify(permits)))]).toEqual(['["signed"]'])
})
