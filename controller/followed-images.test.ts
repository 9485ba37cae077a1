import { beforeEach, describe, expect, it } from 'vitest'
import { follow } from './followed-images.ts'
import type { Followed, Sighting } from './followed-images.ts'
import { ControllerError } from './errors.ts'
import type { ResolvedImage } from './rollout/wanted.ts'

const repository = 'r.example/os/edge'
const hour = 3_600_000
const never = new AbortController().signal

/** What each tag names now; versions are their images' labels. */
let tags: Record<string, string>
let broken: Set<string>
let resolved: number

beforeEach(() => {
  tags = { stable: 'sha256:a' }
  broken = new Set()
  resolved = 0
})

const registry = {
  async resolve({ digest }: { readonly digest: string }) {
    resolved += 1
    if (broken.has(digest)) throw new ControllerError('ImageInvalid', `${digest} is no image`)
    const version = Object.entries(tags).find(([, each]) => each === digest)?.[0] ?? null
    return { repository, digest, version, manifests: { amd64: digest } }
  },
  async digestOf(_: string, tag: string) {
    const digest = tags[tag]
    if (digest === undefined) throw new ControllerError('ImageNotFound', `no tag ${tag}`)
    return digest
  },
  tags: async () => Object.keys(tags),
  signatures: async () => [],
}

/** A controller that looks again and again, and keeps what it has to. */
function follower(image: Parameters<typeof follow>[0]) {
  let before: ResolvedImage | null = null
  let sightings: readonly Sighting[] = []
  const at = async (nowMs: number): Promise<Followed & { readonly runs: string | null }> => {
    const found: Followed = await follow(image, { registry, before, sightings, nowMs, signal: never })
    sightings = found.sightings
    before = found.image ?? before
    return { ...found, runs: before?.digest ?? null }
  }
  return { at, sightings: () => sightings }
}

const stable = (minimumAgeMs: number) => ({ kind: 'tag', repository, tag: 'stable', minimumAgeMs }) as const
const range = (text: string, minimumAgeMs = 0) =>
  ({ kind: 'semver', repository, range: text, minimumAgeMs }) as const

describe('a tag', () => {
  it('is followed at once where no age is asked for, and asked about in full only when it moved', async () => {
    const { at } = follower(stable(0))
    expect((await at(0)).runs).toBe('sha256:a')
    await at(1)
    expect(resolved).toBe(1)
    tags['stable'] = 'sha256:b'
    expect((await at(2)).runs).toBe('sha256:b')
  })

  it('waits until it is old enough, counted from when it was seen first', async () => {
    const { at } = follower(stable(24 * hour))
    expect(await at(hour)).toMatchObject({ runs: null, waiting: { digest: 'sha256:a', untilMs: 25 * hour } })
    expect((await at(25 * hour - 1)).runs).toBeNull()
    expect(await at(25 * hour)).toMatchObject({ runs: 'sha256:a', waiting: null })
    tags['stable'] = 'sha256:b'
    expect(await at(26 * hour)).toMatchObject({ runs: 'sha256:a', waiting: { digest: 'sha256:b' } })
    expect((await at(50 * hour)).runs).toBe('sha256:b')
  })

  it('that moves again begins a new wait, and one that moves back to what runs needs none', async () => {
    const { at } = follower(stable(24 * hour))
    await at(0)
    await at(24 * hour)
    tags['stable'] = 'sha256:b'
    await at(30 * hour)
    tags['stable'] = 'sha256:c'
    expect((await at(40 * hour)).waiting).toMatchObject({ untilMs: 64 * hour })
    tags['stable'] = 'sha256:a'
    expect(await at(41 * hour)).toMatchObject({ runs: 'sha256:a', waiting: null })
    tags['stable'] = 'sha256:b'
    expect((await at(54 * hour)).runs).toBe('sha256:b')
  })

  it('that names what is no image does not let it grow old', async () => {
    const { at } = follower(stable(24 * hour))
    broken.add('sha256:a')
    await expect(at(0)).rejects.toMatchObject({ code: 'ImageInvalid' })
    broken.clear()
    expect((await at(30 * hour)).waiting).toMatchObject({ untilMs: 54 * hour })
  })

  it('does not wait for a time that nobody asked for when the clock was set back', async () => {
    const { at } = follower(stable(24 * hour))
    await at(1000 * hour)
    expect((await at(0)).waiting).toMatchObject({ untilMs: 24 * hour })
    expect((await at(24 * hour)).runs).toBe('sha256:a')
  })

  it('keeps no more sightings than it may, whoever pushes', async () => {
    const { at, sightings } = follower(stable(24 * hour))
    for (let pushes = 0; pushes < 100; pushes += 1) {
      tags['stable'] = `sha256:${pushes}`
      await at(pushes)
    }
    expect(sightings()).toHaveLength(32)
    expect(sightings().at(-1)?.digest).toBe('sha256:99')
  })
})

describe('a range', () => {
  beforeEach(() => {
    tags = { '42.0.0': 'sha256:0', '42.0.1': 'sha256:1', '43.0.0': 'sha256:43', latest: 'sha256:43' }
  })

  it('means its newest version', async () => {
    const { at } = follower(range('42.x'))
    expect((await at(0)).runs).toBe('sha256:1')
    tags['42.0.2'] = 'sha256:2'
    expect((await at(1)).runs).toBe('sha256:2')
  })

  it('without any version says so', async () => {
    await expect(follower(range('44.x')).at(0)).rejects.toMatchObject({ code: 'ImageNotFound' })
    await expect(follower(range('?')).at(0)).rejects.toMatchObject({ code: 'ImageInvalid' })
  })

  it('in which a version comes every day still moves on, to the newest that is old enough', async () => {
    const { at } = follower(range('42.x', 24 * hour))
    await at(0)
    expect((await at(24 * hour)).runs).toBe('sha256:1')
    for (let day = 2; day < 9; day += 1) {
      tags[`42.0.${day}`] = `sha256:${day}`
      await at(day * 24 * hour)
      const runs = (await at(day * 24 * hour + 23 * hour)).runs
      expect(runs).toBe(`sha256:${day - 1}`)
    }
  })

  it('takes no older version whose tag was pushed again meanwhile, or taken away', async () => {
    const { at } = follower(range('42.x', 24 * hour))
    await at(0)
    tags['42.0.2'] = 'sha256:2'
    await at(20 * hour)
    tags['42.0.1'] = 'sha256:evil'
    expect((await at(25 * hour)).runs).toBeNull()
    delete tags['42.0.2']
    expect(await at(26 * hour)).toMatchObject({ runs: null, waiting: { digest: 'sha256:evil' } })
  })
})
