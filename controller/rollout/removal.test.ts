import { expect, test } from 'vitest'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith } from '../../test/support/rollout-fleet.ts'
import { dispatch, enrol, newWorld, restart, settleAll, want } from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { formatIssue } from '../desired-state/issue.ts'
import { parseDesiredState } from '../desired-state/parse.ts'
import type { DesiredState } from '../desired-state/types.ts'
import { refuseRemoval } from './removal.ts'

const written = (kind: string, name: string, spec: string): string =>
  `apiVersion: bootfleet.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`
const fleet = (name: string, selector: string): string =>
  written('Fleet', name, `selector: ${selector}, image: { repository: r.example/os, tag: stable }`)
const ofSite = (site: string): string => `{ matchLabels: { site: ${site} } }`

function commit(...texts: readonly string[]): DesiredState {
  const result = parseDesiredState(texts.map((text, index) => ({ path: `f${index}.yaml`, text })))
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'))
  return result.desiredState
}

const selector = (site: string) => ({ kind: 'match', labels: { site }, expressions: [] }) as const

/** So many hosts of fleet `edge` at site eu, and one of fleet `late` at site us. */
function worldOf(count: number): World {
  const world = newWorld()
  for (let index = 0; index < count; index += 1) {
    enrol(world, `h${index}`, imageOf('0.0.0').digest, { site: 'eu', [`h${index}`]: 'yes' })
  }
  enrol(world, 'us1', imageOf('0.0.0').digest, { site: 'us' })
  const late = fleetWith('1.0.0', { name: 'late', selector: selector('us') })
  want(world, [fleetWith('1.0.0', { selector: selector('eu') }), late], 'c1')
  settleAll(world)
  return world
}

const late = fleet('late', ofSite('us'))

test('a commit that leaves every host its fleet may come into force', () => {
  const world = worldOf(2)
  dispatch(world, { kind: 'connection', hostId: 'stranger', connected: true })
  expect(refuseRemoval(world.state, commit(fleet('edge', ofSite('eu')), late))).toBeNull()
})

test('a fleet that has hosts is not removed by leaving it out, unless that is said', () => {
  const gone = commit(late)
  expect(refuseRemoval(worldOf(1).state, gone)).toBe(
    'fleet "edge" is gone and has 1 host (h0); put it back, or name it in .bootfleet/allow-removal',
  )
  expect(refuseRemoval(worldOf(7).state, gone)).toBe(
    'fleet "edge" is gone and has 7 hosts (h0, h1, h2, h3, h4, 2 more); put it back, or name it in .bootfleet/allow-removal',
  )
  expect(refuseRemoval(worldOf(7).state, { ...gone, removable: ['edge'] })).toBeNull()
})

test('a commit must not leave more than a tenth of all hosts to no fleet', () => {
  const without = (host: string): string =>
    fleet(
      'edge',
      `{ matchLabels: { site: eu }, matchExpressions: [{ key: ${host}, operator: DoesNotExist }] }`,
    )
  expect(refuseRemoval(worldOf(7).state, commit(without('h0'), late))).toBe(
    '1 of 8 hosts would belong to no fleet (h0), more than 10 %; select them, or name their fleet edge in .bootfleet/allow-removal',
  )
  expect(refuseRemoval(worldOf(9).state, commit(without('h0'), late))).toBeNull()
  const nowhere = commit(fleet('edge', ofSite('moon')), fleet('late', ofSite('mars')))
  expect(refuseRemoval(worldOf(1).state, nowhere)).toBe(
    '2 of 2 hosts would belong to no fleet (h0, us1), more than 10 %; select them, or name their fleets edge, late in .bootfleet/allow-removal',
  )
})

test('a host that two fleets would select belongs to none, and what git says of it counts', () => {
  const edge = fleet('edge', ofSite('eu'))
  const both = commit(edge, fleet('late', '{ all: true }'))
  expect(refuseRemoval(worldOf(1).state, both)).toContain('1 of 2 hosts would belong to no fleet (h0)')
  const moved = commit(edge, late, written('Host', 'h0', 'labels: { site: moon }'))
  expect(refuseRemoval(worldOf(1).state, moved)).toContain('1 of 2 hosts would belong to no fleet (h0)')
})

test('after a start a host is where it was granted something last, and one that never was is nowhere', () => {
  const world = worldOf(2)
  const enrolment = { hostId: 'new', name: 'new', labels: { site: 'eu' }, enrolledAtMs: world.wallMs }
  world.store.enrolments.set('new', enrolment)
  world.wanted = null
  restart(world)
  expect(refuseRemoval(world.state, commit(late))).toContain('fleet "edge" is gone and has 2 hosts (h0, h1)')
})
