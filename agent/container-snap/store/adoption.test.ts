import { describe, expect, test } from 'vitest'
import type { Ledger } from '../ledger.ts'
import { emptyLedger } from '../ledger.ts'
import { adopt, unknownCopies } from './adoption.ts'
import type { Image } from './images.ts'
import type { Inventory, StoreSubvolume } from './inventory.ts'

const layer = 'f'.repeat(64)
const older = 'a'.repeat(64)
const newer = 'b'.repeat(64)
const indexDigest = `sha256:${'1'.repeat(64)}`

function image(id: string, created: string, names: string[] = []): Image {
  const digest = `sha256:${id}`
  return { id, names, topLayer: layer, digest, manifestDigests: [digest], created, sizeBytes: 7 }
}

function subvolume(name: string, id: number): StoreSubvolume {
  return { name, id, uuid: `uuid-${id}`, readonly: false }
}

function inventory(images: Image[], ...names: string[]): Inventory {
  const subvolumes = [subvolume(layer, 300), ...names.map((name, index) => subvolume(name, 301 + index))]
  return { stored: { images, layers: new Map() }, subvolumes, currentId: null, defaultId: 5 }
}

const twins = [image(newer, '2026-02-01'), image(older, '2026-01-01')]

describe('adoption', () => {
  test('takes an unknown image in as not ready, with the digest it was asked for by', () => {
    const images = [image(older, '2026-01-01', ['quay.io/os:1', `quay.io/os@${indexDigest}`])]
    expect(adopt(emptyLedger, inventory(images), new Map()).images).toEqual([
      {
        imageId: older,
        digests: [indexDigest],
        manifestDigest: `sha256:${older}`,
        subvolumeUuid: 'uuid-300',
        sizeBytes: 7,
        readyAt: null,
      },
    ])
  })

  test('gives an unknown copy to the newest image of its layer, with the time it was made', () => {
    const found = inventory(twins, `${layer}-work2`)
    const { deployments } = adopt(emptyLedger, found, new Map([[301, '2026-03-01T00:00:00Z']]))
    expect(deployments).toMatchObject([
      { id: `${newer}-work2`, digest: `sha256:${newer}`, createdAt: '2026-03-01T00:00:00Z', pinned: false },
    ])
  })

  test('gives a copy that was made just before a crash to the image it was made of', () => {
    const ledger: Ledger = {
      ...emptyLedger,
      creating: { name: `${layer}-work2`, imageId: older, purpose: 'copy' },
    }
    const found = inventory(twins, `${layer}-work1`, `${layer}-work2`)
    const ids = adopt(ledger, found, new Map()).deployments.map((record) => record.id)
    expect(ids).toEqual([`${newer}-work1`, `${older}-work2`])
  })

  test('keeps what it knows, whatever the newest image is', () => {
    const first = adopt(emptyLedger, inventory(twins.slice(1), `${layer}-work1`), new Map())
    const second = adopt(first, inventory(twins, `${layer}-work1`), new Map())
    expect(second.deployments).toEqual(first.deployments)
    expect(unknownCopies(second, inventory(twins, `${layer}-work1`))).toEqual([])
  })

  test('forgets what is gone: images, copies, the selection', () => {
    const full = adopt(emptyLedger, inventory(twins, `${layer}-work1`), new Map())
    const ledger: Ledger = { ...full, selected: { subvolumeUuid: 'uuid-301', imageId: newer } }
    const left = adopt(ledger, inventory([]), new Map())
    expect(left).toMatchObject({ images: [], deployments: [], selected: null })
  })

  test('an image that came back in another subvolume is not ready any more', () => {
    const known = adopt(emptyLedger, inventory(twins), new Map())
    const ready: Ledger = { ...known, images: known.images.map((record) => ({ ...record, readyAt: 'then' })) }
    expect(adopt(ready, inventory(twins), new Map()).images[0]?.readyAt).toBe('then')
    const again: Inventory = {
      ...inventory(twins),
      subvolumes: [{ ...subvolume(layer, 300), uuid: 'another' }],
    }
    expect(adopt(ready, again, new Map()).images[0]).toMatchObject({
      readyAt: null,
      subvolumeUuid: 'another',
    })
  })

  test('leaves alone what is no copy of an image here', () => {
    const found = inventory(twins, 'notes', `${'c'.repeat(64)}-work1`, `${layer}-work0`)
    expect(adopt(emptyLedger, found, new Map()).deployments).toEqual([])
  })
})
