import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acceptedPlan, restart, rootOf, settle } from '../testing/machine-model.ts'
import type { World } from '../testing/machine-model.ts'
import { digestOf } from '../testing/plans.ts'
import { BEHAVIOUR, NOW_MS, accept, newWorld, worldIn } from '../testing/world.ts'
import { belowFloor, proven } from './floor.ts'
import type { DowngradePermit, Floor, Guard } from './floor.ts'
import { step } from './step.ts'
import type { Event, Step } from './types.ts'
import { orderOfVersions } from './version-order.ts'

const repository = 'registry.example/os/edge'
const nobody: Guard = { permits: [], refused: [] }
const lowest = (version: string, changes: Partial<DowngradePermit> = {}): Guard => ({
  permits: [{ repository, untilMs: NOW_MS + 1, image: { kind: 'LowestVersion', version }, ...changes }],
  refused: [],
})
const exactly = (digest: string): Guard => lowest('', { image: { kind: 'Digest', digest } })

/** A host that has proven these versions, one after the other, each by a rollout of its own. */
function worldOf(...versions: readonly string[]): World {
  const world = newWorld()
  restart(world, NOW_MS)
  for (const version of versions) go(world, version)
  return world
}

function go(world: World, version: string, guard: Guard | null = nobody, rollout = `to-${version}`): void {
  const counter = (world.disk.accepted?.counter ?? 0) + 1
  accept(world, acceptedPlan(version, { counter, generation: counter, rollout, ...(guard && { guard }) }))
  settle(world, BEHAVIOUR, NOW_MS)
}

const stepOf = ({ disk }: World, event: Event): Step => step(disk, event, NOW_MS)

const endOf = ({ disk: { at } }: World): unknown =>
  at.phase === 'Failed' ? `${at.failure.code}: ${at.failure.message}` : at.phase

describe('a host whose trust bundle names approvers', () => {
  it('refuses a lower version than it has proven, before it deploys it, and denies nothing for it', () => {
    const world = worldOf('1.0', '1.1', '1.2', '2.0')
    const deployed = world.host.deployments.length
    go(world, '1.0')
    expect(endOf(world)).toBe(
      `DowngradeDenied: deploying ${digestOf('1.0')}: its version label is 1.0, which is lower than 2.0 that ran here, and no permit of the approvers covers it; name another image, or have one signed: bootfleet trust permit downgrade`,
    )
    expect([world.host.deployments.length, world.disk.deniedDigests]).toEqual([deployed, []])
    go(world, '2.1')
    expect(endOf(world)).toBe('Healthy')
  })

  it('takes it with a permit, and from then on what is not lower than that', () => {
    const world = worldOf('1.0', '1.1', '1.2', '2.0')
    go(world, '1.0', lowest('1.0'))
    expect(endOf(world)).toBe('Healthy')
    go(world, '1.1')
    expect(endOf(world)).toBe('Healthy')
  })

  it('says why a permit that came along does not count', () => {
    const world = worldOf('1.0', '1.1', '1.2', '2.0')
    go(world, '1.0', { permits: [], refused: ['it is signed by nobody'] })
    expect(endOf(world)).toContain('no permit of the approvers covers it (it is signed by nobody); name')
  })

  it('is not deceived by a clock that was set back: a permit that the plan outlived has expired', () => {
    const world = worldOf('1.0', '1.1', '1.2', '2.0')
    const issuedAtMs = NOW_MS + 60_000
    accept(world, acceptedPlan('1.0', { counter: 9, rollout: 'back', issuedAtMs, guard: lowest('1.0') }))
    settle(world, BEHAVIOUR, NOW_MS)
    expect(endOf(world)).toContain('DowngradeDenied')
  })

  it('goes back to what it has proven before, as a rollout that fails takes it back', () => {
    const world = worldOf('1.0', '2.0')
    go(world, '1.0', nobody, 'to-2.0')
    expect(endOf(world)).toBe('Healthy')
    go(world, '2.0', nobody, 'to-2.0')
    go(world, '1.0', nobody, 'to-2.0')
    expect(endOf(world)).toBe('Healthy')
  })

  it('also where another rollout came between, or an image on the way of the same one', () => {
    const superseded = worldOf('1.0', '2.0', '3.0')
    go(superseded, '1.0', nobody, 'to-3.0')
    expect(endOf(superseded)).toBe('Healthy')
    const barriers = worldOf('1.0')
    for (const via of ['1.1', '1.2', '1.3', '2.0']) go(barriers, via, nobody, 'to-2.0')
    go(barriers, '1.0', nobody, 'to-2.0')
    expect(endOf(barriers)).toBe('Healthy')
  })

  it('falls back by itself from what does not prove itself, and may be sent to what it fell back to', () => {
    const world = worldOf('2.0')
    go(world, '3')
    expect(world.disk.at).toMatchObject({ phase: 'RolledBack' })
    go(world, '2.0')
    expect(endOf(world)).toBe('Healthy')
    expect(world.disk.floors?.[0]).toMatchObject({ version: '2.0' })
  })

  it('knows what ran before its first plan, also when it starts in the middle of an activation', () => {
    const world = worldIn('Rebooting', acceptedPlan('2.0', { guard: nobody }))
    world.disk = { ...world.disk }
    settle(world, BEHAVIOUR, NOW_MS)
    expect(world.disk.floors?.map(({ version }) => version)).toEqual(['2.0', '0'])
    go(world, '0', nobody, 'edge-2.0')
    expect(endOf(world)).toBe('Healthy')
  })

  it('starts without a floor where nothing is known of what runs', () => {
    const world = newWorld()
    world.host.currentId = 'a root of its own'
    restart(world, NOW_MS)
    expect(world.disk.floors).toBeUndefined()
    world.host.currentId = world.host.defaultId
    world.host.deployments = world.host.deployments.map((known) => ({ ...known, manifestDigest: null }))
    restart(world, NOW_MS)
    expect(world.disk.floors).toBeUndefined()
    const first = { ...rootOf('0', 1), blessed: false, bad: null }
    world.host.deployments = [first]
    restart(world, NOW_MS)
    expect(world.disk.floors).toEqual([{ manifestDigest: digestOf('0'), version: '', rollout: '' }])
  })

  it('takes an image that says no version where none had one, and keeps the floor where one had', () => {
    const world = newWorld()
    accept(world, acceptedPlan('1', { guard: nobody }))
    world.pending = []
    const { operation } = world.disk
    const downloaded = { kind: 'downloaded', operation, manifestDigest: digestOf('1') } as const
    const { next } = stepOf(world, downloaded)
    expect(next.at.phase).toBe('Staging')
    const blessing = worldIn('Blessing')
    const blessed = { kind: 'blessed', operation: blessing.disk.operation } as const
    const { floors: _unknown, ...disk } = blessing.disk
    const fresh = { manifestDigest: digestOf('1'), version: '', rollout: 'edge-1' }
    expect(stepOf({ ...blessing, disk }, blessed).next.floors).toEqual([fresh])
    const floors = [{ manifestDigest: digestOf('0'), version: '5', rollout: '' }]
    expect(stepOf({ ...blessing, disk: { ...blessing.disk, floors } }, blessed).next.floors?.[0]).toEqual({
      manifestDigest: digestOf('1'),
      version: '5',
      rollout: 'edge-1',
    })
  })
})

it('a host whose trust bundle names no approver takes any version', () => {
  const world = worldOf('1.0', '1.1', '1.2', '2.0')
  go(world, '1.0', null)
  expect(endOf(world)).toBe('Healthy')
})

describe('a permit', () => {
  const image = { repository, digest: digestOf('index'), manifestDigest: digestOf('1.5'), version: '1.5' }
  const floors: readonly Floor[] = [{ manifestDigest: digestOf('2.0'), version: '2.0', rollout: 'r' }]
  const isDenied = (guard: Guard, changes: Partial<typeof image> = {}): boolean =>
    belowFloor({ ...image, ...changes }, floors, guard, NOW_MS) !== null

  it.each([
    ['for the version itself', lowest('1.5'), false],
    ['for a lower one', lowest('1.4'), false],
    ['for a higher one', lowest('1.6'), true],
    ['for another repository', lowest('1.5', { repository: 'r.example/other' }), true],
    ['that has expired', lowest('1.5', { untilMs: NOW_MS }), true],
    ['for its digest', exactly(digestOf('index')), false],
    ['for its manifest', exactly(digestOf('1.5')), false],
    ['for another digest', exactly(digestOf('1.6')), true],
  ])('%s', (_what, guard, denied) => {
    expect(isDenied(guard)).toBe(denied)
  })

  it('for an image without a version must name its digest', () => {
    expect(isDenied(nobody, { version: '' })).toBe(true)
    expect(isDenied(lowest('1.5'), { version: '' })).toBe(true)
    expect(isDenied(exactly(digestOf('index')), { version: '' })).toBe(false)
    expect(belowFloor({ ...image, version: '' }, floors, nobody, NOW_MS)).toContain(
      'it has no version label, which cannot be compared with 2.0 that ran here',
    )
  })
})

it('whatever a host is sent to without a permit, nothing lower comes into reach than ever was', () => {
  const versions = ['', '1', '2', '3', '4', '5', 'nightly']
  const sent = fc.array(
    fc.record({ version: fc.constantFrom(...versions), rollout: fc.constantFrom('a', 'b') }),
  )
  const imageOf = (version: string) => ({
    repository,
    digest: digestOf(version),
    manifestDigest: digestOf(version),
    version,
  })
  const reach = (floors: readonly Floor[]): readonly string[] =>
    versions.filter((version) => belowFloor(imageOf(version), floors, nobody, NOW_MS) === null)
  fc.assert(
    fc.property(sent, (orders) => {
      let floors = proven([], imageOf('1'), '')
      for (const { version, rollout } of orders) {
        const [before, lowestBefore] = [floors, lowestOf(floors)]
        if (!reach(before).includes(version)) continue
        floors = proven(before, imageOf(version), rollout)
        expect(orderOfVersions(lowestOf(floors), lowestBefore)).not.toBe(-1)
      }
    }),
  )
})

/** The lowest floor that any chain of ways back can lead to. */
function lowestOf(floors: readonly Floor[]): string {
  return floors.map(({ version }) => version).toSorted((a, b) => orderOfVersions(a, b) ?? 0)[0] ?? ''
}
