import { expect, it } from 'vitest'
import { enrolReporting } from '../../test/support/report-only-host.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { fleetWith, rolledOut } from '../../test/support/rollout-fleet.ts'
import type { World } from '../../test/support/rollout-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import type { ReportedSystem } from '../rollout/report.ts'
import { hostsWith, imagesOf } from './images-view.ts'
import type { ImageQuestion } from './images-view.ts'
import { hostStatuses } from './status-view.ts'

const foreign = `sha256:${'d'.repeat(64)}`
const { digest: ours, manifests } = imageOf('1.0.0')
const debian: ReportedSystem = {
  osId: 'debian',
  osVersion: '12',
  osName: 'Debian GNU/Linux 12',
  imageReference: '',
  imageLabels: {},
}
const bootc = { ...debian, osName: '', imageReference: 'quay.io/vendor/os:42', imageLabels: { team: 'db' } }

/** Fleet edge with one host that is updated. */
function worldWith(
  systems: Readonly<Record<string, readonly [ReportedSystem, string | null, string]>>,
): World {
  const world = rolledOut('1.0.0')
  for (const [name, [reportOnly, bootedManifestDigest, bootedVersion]] of Object.entries(systems)) {
    enrolReporting(world, name, { bootedManifestDigest, bootedVersion, reportOnly })
  }
  return world
}

function asking({ state, wallMs }: World): ImageQuestion {
  const snapshot = { ...snapshotOfFleets([]), state, nowMs: wallMs }
  const viewer = { sees: () => true, seesEverything: () => true }
  return { snapshot, viewer, fleet: '', selector: { kind: 'all' } }
}

function foundBy(world: World, running: string): readonly string[] {
  const { hosts = [] } = hostsWith(asking(world), { running, containing: '' })
  return hosts.map(({ name, phase, version }) => `${name} ${phase} ${version}`)
}

it.each([
  ['the digest that its own tools know', foreign],
  ['the beginning of it', 'dddddd'],
  ['the reference that it booted', 'quay.io/vendor/os:42'],
  ['the tag of it', '42'],
  ['the version that the image says', '42.7'],
])('a host that only reports is found by %s', (_, running) => {
  const world = worldWith({ db: [bootc, foreign, '42.7'], web: [debian, null, ''] })
  expect(foundBy(world, running)).toEqual(['db ReportOnly 42.7'])
})

it.each([
  ['the reference that it booted', 'quay.io/vendor/os:42', 'lost'],
  ['the tag of it', '42', 'lost'],
  ['the version that it says', '42.7', 'lost'],
  ['what the list of images calls it', 'Debian GNU/Linux 12', 'web'],
])('one that knows no digest of what it runs is found by %s', (_, running, name) => {
  const world = worldWith({ lost: [bootc, null, '42.7'], web: [debian, null, ''] })
  const { hosts, images } = hostsWith(asking(world), { running, containing: '' })
  const reference = name === 'lost' ? 'quay.io/vendor/os:42' : 'Debian GNU/Linux 12'
  expect(hosts).toMatchObject([{ name, hold: 'Booted', digest: '', reference, phase: 'ReportOnly' }])
  expect(images).toEqual([])
})

it('what an image contains that a host knows only by name nobody can say', () => {
  const world = worldWith({ lost: [bootc, null, ''], web: [debian, null, ''] })
  const { hosts, unknownHosts } = hostsWith(asking(world), { running: '', containing: foreign })
  expect(hosts).toEqual([])
  expect(unknownHosts?.map(({ name }) => name)).toContain('lost')
  expect(unknownHosts?.map(({ name }) => name)).not.toContain('web')
})

it('one that booted what a fleet names is found with the hosts of that fleet', () => {
  const world = worldWith({ db: [bootc, manifests['amd64'] as string, ''] })
  expect(foundBy(world, ours).toSorted()).toEqual(['db ReportOnly 1.0.0', 'h0 Succeeded 1.0.0'])
})

it('images are listed with where they are from, and systems without an image beside them', () => {
  const world = worldWith({
    db: [bootc, foreign, '42.7'],
    web1: [debian, null, ''],
    web2: [debian, null, ''],
    // Without a digest nothing can be compared: a reference is a name, and what it names moves.
    lost: [bootc, null, ''],
    silent: [{ ...debian, osId: '', osVersion: '', osName: '' }, null, ''],
    odd: [{ ...debian, osName: '' }, null, ''],
  })
  const { hostsUnheard, images, systems } = imagesOf(asking(world))
  expect(images?.find(({ digest }) => digest === foreign)).toMatchObject({
    repository: 'quay.io/vendor/os',
    version: '42.7',
    hostsRunning: 1,
    fleets: [{ fleet: 'edge', hostsRunning: 1 }],
  })
  expect(systems).toEqual([
    { name: 'Debian GNU/Linux 12', hostsRunning: 2, fleets: ['edge'] },
    { name: 'debian 12', hostsRunning: 1, fleets: ['edge'] },
    { name: 'quay.io/vendor/os:42', hostsRunning: 1, fleets: ['edge'] },
  ])
  expect(hostsUnheard).toBe(1)
  const { unheardHosts } = hostsWith(asking(world), { running: ours, containing: '' })
  expect(unheardHosts).toEqual(['silent'])
})

it.each([
  ['registry:5000/os:1', 'registry:5000/os'],
  ['registry:5000/os', 'registry:5000/os'],
  [`quay.io/os@${foreign}`, 'quay.io/os'],
  ['', ''],
])('an image booted as %s is from %s', (imageReference, repository) => {
  const world = worldWith({ db: [{ ...bootc, imageReference }, foreign, ''] })
  expect(imagesOf(asking(world)).images?.find(({ digest }) => digest === foreign)).toMatchObject({
    repository,
  })
})

it('its status says what it runs, in a phase that no rollout has', () => {
  const world = worldWith({ db: [bootc, foreign, '42.7'] })
  const [db, h0] = hostStatuses(asking(world).snapshot, '')
  expect(db).toMatchObject({
    name: 'db',
    fleet: fleetWith('1.0.0').name,
    phase: 'ReportOnly',
    bootedDigest: foreign,
    bootedVersion: '42.7',
    reportOnly: { imageReference: 'quay.io/vendor/os:42', imageLabels: { team: 'db' }, osId: 'debian' },
  })
  expect(h0).toMatchObject({ name: 'h0', phase: 'Succeeded' })
  expect(h0?.reportOnly).toBeUndefined()
})
