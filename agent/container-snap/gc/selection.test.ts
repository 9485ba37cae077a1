import { describe, expect, test } from 'vitest'
import type { DeploymentRecord, ImageRecord } from '../ledger.ts'
import type { GcFacts, GcSelection } from './selection.ts'
import { select } from './selection.ts'

function deployment(id: string, fields: Partial<DeploymentRecord> = {}): DeploymentRecord {
  return {
    subvolumeUuid: `uuid-${id}`,
    id,
    imageId: id.split('-')[0] ?? '',
    digest: '',
    manifestDigest: '',
    createdAt: '',
    pinned: false,
    stagedAt: '2026-01-01',
    activation: null,
    blessedAt: null,
    bad: null,
    source: null,
    kernelArguments: [],
    ...fields,
  }
}

function image(imageId: string, readyAt: string | null): ImageRecord {
  return { imageId, digests: [], manifestDigest: '', subvolumeUuid: '', sizeBytes: 0, readyAt }
}

const nothing: GcFacts = {
  deployments: [],
  images: [],
  held: new Map(),
  beingPulled: new Set(),
  current: null,
  fallback: null,
}

function removed(facts: Partial<GcFacts>, keepImages = 0, copies: 'keep' | 'remove' = 'keep'): string[] {
  const { deployments, images } = select({ ...nothing, ...facts }, { keepImages, copies })
  return [...deployments, ...images].map(({ id }) => id)
}

/** One of each kind on a machine that has been updated for a while. */
const machine: Partial<GcFacts> = {
  deployments: [
    deployment('a-1', { activation: 1, blessedAt: 'x' }),
    deployment('b-1', { activation: 2, blessedAt: 'x', pinned: true }),
    deployment('c-1', { activation: 3, blessedAt: 'x' }),
    deployment('d-1', { activation: 4, bad: 'did not come up' }),
    deployment('e-1', { activation: 5, blessedAt: 'x' }),
    deployment('f-1', { stagedAt: '2026-02-01' }),
    deployment('f-2', { stagedAt: '2026-03-01' }),
    deployment('g-1', { stagedAt: null }),
  ],
  images: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((id, at) => image(id, `2026-0${at + 1}-01`)),
  held: new Map([
    ['e-1', 'it runs'],
    ['c-1', 'it is the way back'],
  ]),
  current: 'e-1',
  fallback: 'c-1',
}

describe('what goes', () => {
  test('on a machine updated for a while: the bad first, the superseded, the withdrawn, and their images', () => {
    expect(removed(machine)).toEqual(['d-1', 'f-1', 'a-1', 'a', 'd', 'h', 'i'])
  })

  test.each([
    [1, ['a', 'd', 'h']],
    [2, ['a', 'd']],
    [6, ['a']],
    [9, []],
  ])('of the images not the newest %i', (keep, images) => {
    expect(removed(machine, keep).filter((id) => !id.includes('-'))).toEqual(images)
  })

  test('the copies that no deploy made only when asked for, and then their images', () => {
    expect(removed(machine, 0, 'remove')).toEqual(['d-1', 'f-1', 'g-1', 'a-1', 'a', 'd', 'g', 'h', 'i'])
  })

  test('nothing on an empty store', () => {
    expect(removed({})).toEqual([])
  })
})

type Row = [what: string, facts: Partial<GcFacts>, keep: number, gone: string[]]
const rows: Row[] = [
  [
    'a bad one that runs stays',
    { deployments: [deployment('a-1', { bad: 'x' })], held: new Map([['a-1', 'it runs']]) },
    0,
    [],
  ],
  ['a bad one that is pinned stays', { deployments: [deployment('a-1', { bad: 'x', pinned: true })] }, 0, []],
  [
    'a bad one is not what waits',
    { deployments: [deployment('a-1'), deployment('a-2', { bad: 'x' })] },
    0,
    ['a-2'],
  ],
  [
    'without a proven one, the one before stays',
    {
      deployments: [1, 2, 3].map((n) => deployment(`a-${n}`, { activation: n })),
      held: new Map([['a-3', 'it runs']]),
      current: 'a-3',
    },
    0,
    ['a-1'],
  ],
  [
    'with a proven one it does not',
    {
      deployments: [1, 2, 3].map((n) => deployment(`a-${n}`, { activation: n })),
      held: new Map([
        ['a-3', 'it runs'],
        ['a-1', 'it is the way back'],
      ]),
      current: 'a-3',
      fallback: 'a-1',
    },
    0,
    ['a-2'],
  ],
  [
    'the one before is never a bad one',
    {
      deployments: [deployment('a-1', { activation: 1, bad: 'x' }), deployment('a-2', { activation: 2 })],
      held: new Map([['a-2', 'it runs']]),
      current: 'a-2',
    },
    0,
    ['a-1'],
  ],
  [
    'a copy made by hand that has proven itself and was replaced goes',
    { deployments: [deployment('a-1', { stagedAt: null, blessedAt: 'x' })] },
    0,
    ['a-1'],
  ],
  [
    'an image that runs itself stays',
    { images: [image('a', 'x')], held: new Map([['a', 'it runs']]) },
    0,
    [],
  ],
  [
    'an image that is being pulled stays',
    { images: [image('a', null), image('b', 'x')], beingPulled: new Set(['a', 'b']) },
    0,
    [],
  ],
  [
    'an image whose pull did not end is none of the newest',
    { images: [image('a', null), image('b', '2026')] },
    2,
    ['a'],
  ],
  [
    'an image whose deployment goes, goes with it',
    { images: [image('a', 'x')], deployments: [deployment('a-1', { bad: 'x' })] },
    0,
    ['a-1', 'a'],
  ],
  [
    'an image with one more deployment stays',
    { images: [image('a', 'x')], deployments: [deployment('a-1', { bad: 'x' }), deployment('a-2')] },
    0,
    ['a-1'],
  ],
]

describe('each rule', () => {
  test.each(rows)('%s', (_what, facts, keep, gone) => {
    expect(removed(facts, keep)).toEqual(gone)
  })

  test('says its reason, for what goes and for what stays', () => {
    const { deployments, images, kept }: GcSelection = select(
      { ...nothing, ...machine },
      { keepImages: 0, copies: 'keep' },
    )
    const reasons = Object.fromEntries(
      [...deployments, ...images, ...kept].map(({ id, reason }) => [id, reason]),
    )
    expect(reasons).toMatchObject({
      'd-1': 'it is bad: did not come up',
      'a-1': 'another took its place',
      'f-1': 'it was never activated, and a newer one waits',
      'f-2': 'it waits to be activated',
      'b-1': 'it is pinned',
      'g-1': 'no deploy made it; --copies takes it too',
      'e-1': 'it runs',
      c: 'a deployment that stays is made of it',
      i: 'no deployment that stays is made of it',
    })
    expect(Object.keys(reasons)).toHaveLength(17)
  })
})
