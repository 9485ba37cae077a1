import { expect, it } from 'vitest'
import { enrolReporting, idle } from '../../test/support/report-only-host.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import {
  fleetView,
  fleetWith,
  nowOf,
  phaseOf,
  rolledOut,
  rolloutView,
  say,
  why,
} from '../../test/support/rollout-fleet.ts'
import {
  connect,
  dispatch,
  enrol,
  newWorld,
  restart,
  settleAll,
  want,
} from '../../test/support/rollout-world.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { describeHosts } from './engine.ts'
import { describeEstate, imagesToKnow } from './estate.ts'
import type { HostReport, ReportedSystem } from './report.ts'
import { refuseRemoval } from './removal.ts'
import type { Host } from './state.ts'
import { traceHost } from './trace.ts'
import { whyHost } from './why.ts'

const system: ReportedSystem = {
  osId: 'fedora',
  osVersion: '41',
  osName: 'Fedora Linux 41 (Server Edition)',
  imageReference: '',
  imageLabels: {},
}
const foreign = imageOf('7.0.0').digest
const reporting: Partial<HostReport> = {
  ...idle,
  bootedManifestDigest: foreign,
  bootedVersion: '7.0.0',
  reportOnly: system,
}

function viewOf(world: World, name: string) {
  return describeHosts(world.state, null, nowOf(world)).find((host) => host.name === name)
}

const watched = (world: World, name: string): void => enrolReporting(world, name, reporting)
const hostOf = (world: World, name: string): Host => world.state.hosts.get(name) as Host

it('a host that only reports belongs to its fleet, and no rollout waits for it, counts it or grants it anything', () => {
  const world = rolledOut('1.0.0', 2)
  watched(world, 'db')
  want(world, [fleetWith('2.0.0')], 'c2')
  settleAll(world)
  expect(fleetView(world)).toMatchObject({ state: 'Synced', hostsTotal: 2, hostsUpdated: 2 })
  expect(rolloutView(world)).toMatchObject({ state: 'Succeeded', attention: [] })
  expect(rolloutView(world).waves.map(({ hostsTotal }) => hostsTotal)).toEqual([2])
  expect(hostOf(world, 'db').grants.size).toBe(0)
  expect(viewOf(world, 'db')).toMatchObject({
    fleet: 'edge',
    phase: 'ReportOnly',
    bootedDigest: foreign,
    bootedVersion: '7.0.0',
    conditions: ['ReportOnly'],
    reason: 'ReportOnly',
    reportOnly: system,
  })
  expect(viewOf(world, 'h0')).toMatchObject({ conditions: [], reportOnly: null })
})

it('a fleet all of whose hosts only report has nobody to update, and one that is away takes no budget', () => {
  const world = newWorld()
  watched(world, 'db')
  dispatch(world, { kind: 'connection', hostId: 'db', connected: false })
  want(world, [fleetWith('1.0.0')], 'c1')
  settleAll(world)
  expect(fleetView(world)).toMatchObject({
    hostsTotal: 0,
    message: 'every host that matches its selector only reports',
  })
  expect(viewOf(world, 'db')?.conditions).toEqual(['ReportOnly', 'Unreachable'])
})

it('why says that it only reports, and what would change that, with or without a fleet or a rollout', () => {
  const world = newWorld()
  watched(world, 'db')
  const said = () => whyHost(world.state, hostOf(world, 'db'), nowOf(world))
  const words = {
    reason: 'ReportOnly',
    phase: 'ReportOnly',
    message: 'it only reports what it runs: its agent has the driver report-only, and is granted nothing',
    next: 'nothing, until its agent runs with host.driver: container-snap, on a machine that boots our images',
  }
  expect(said()).toMatchObject({ ...words, fleet: '' })
  enrol(world, 'h0', imageOf('0.0.0').digest)
  want(world, [fleetWith('1.0.0')], 'c1')
  settleAll(world)
  expect(said()).toMatchObject({ ...words, fleet: 'edge', failedDigest: '', sinceMs: 0 })
  const message = `runs ${foreign}`
  expect(traceHost(world.state, hostOf(world, 'db'), nowOf(world))).toMatchObject([{ kind: 'Boot', message }])
})

it('a host that begins to only report loses what it was granted, and is updated again when it does that no more', () => {
  const world = rolledOut('1.0.0', 2)
  want(world, [fleetWith('2.0.0')], 'c2')
  while (world.wakeInMs === 0) dispatch(world, { kind: 'timer' })
  const [agent] = world.agents.values()
  if (agent === undefined) throw new Error('no host')
  expect(phaseOf(world, 'h0')).toBe('Granted')
  world.agents.delete('h0')
  say(world, agent, reporting)
  const [, grant] = [...hostOf(world, 'h0').grants.values()]
  expect(grant).toMatchObject({ phase: 'Removed', message: 'it only reports now' })
  settleAll(world)
  expect(fleetView(world)).toMatchObject({ hostsTotal: 1, hostsUpdated: 1 })
  restart(world)
  expect(why(world, 'h0')).toBe('ReportOnly')
  world.agents.set('h0', agent)
  connect(world, agent)
  settleAll(world)
  expect(fleetView(world)).toMatchObject({ hostsTotal: 2, hostsUpdated: 2 })
})

it.each([
  ['the reference of its image', { imageReference: 'quay.io/os:42' }, 'runs quay.io/os:42'],
  ['its operating system', {}, 'runs Fedora Linux 41 (Server Edition)'],
  ['nothing that it knows', { osName: '' }, 'runs an image that it cannot name'],
])('its trace names %s where it knows no digest', (_, known, message) => {
  const world = newWorld()
  const reportOnly = { ...system, ...known }
  enrolReporting(world, 'db', { ...reporting, bootedManifestDigest: null, reportOnly })
  expect(traceHost(world.state, hostOf(world, 'db'), nowOf(world))).toMatchObject([{ message }])
})

it('a pin says nothing of a host that only reports', () => {
  const world = rolledOut('1.0.0')
  watched(world, 'db')
  const pinned = { name: 'db', labels: {}, pin: imageOf('1.0.0').digest, hold: null }
  want(world, [fleetWith('1.0.0')], 'c2', { hosts: [pinned] })
  settleAll(world)
  expect(viewOf(world, 'db')?.conditions).toEqual(['ReportOnly'])
  expect(why(world, 'db')).toBe('ReportOnly')
})

it('what it runs is in the estate, and nobody asks a registry because of what it says', () => {
  const world = rolledOut('1.0.0')
  watched(world, 'db')
  const { hosts } = describeEstate(world.state, () => true)
  expect(hosts.map(({ booted, name, phase, reportOnly }) => ({ booted, name, phase, reportOnly }))).toEqual([
    { name: 'db', booted: foreign, phase: 'ReportOnly', reportOnly: system },
    { name: 'h0', booted: imageOf('1.0.0').digest, phase: 'Succeeded', reportOnly: null },
  ])
  expect(imagesToKnow(world.state).has(foreign)).toBe(false)
})

it('a commit may leave it without a fleet', () => {
  const world = newWorld()
  watched(world, 'db')
  want(world, [fleetWith('1.0.0')], 'c1')
  settleAll(world)
  expect(refuseRemoval(world.state, { fleets: [], hosts: [], removable: [] })).toBeNull()
})
