import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ledger } from './ledger.ts'
import { emptyLedger, loadLedger, parseLedger, saveLedger, setAsideLedger } from './ledger.ts'

const full: Ledger = {
  version: 1,
  images: [
    { imageId: 'a', digests: ['d'], manifestDigest: 'm', subvolumeUuid: 'u', sizeBytes: 1, readyAt: null },
  ],
  deployments: [
    {
      subvolumeUuid: 'v',
      id: 'a-work1',
      imageId: 'a',
      digest: 'd',
      manifestDigest: 'm',
      createdAt: 't',
      pinned: true,
      stagedAt: null,
      activation: null,
      blessedAt: null,
      bad: null,
      source: null,
      kernelArguments: ['mitigations=off'],
    },
  ],
  pulls: [{ digest: 'd', manifestDigests: ['m'], bootId: 'b', startedAt: 't' }],
  creating: { name: 'l-work2', imageId: 'a', purpose: 'deployment' },
  selected: { subvolumeUuid: 'v', imageId: 'a' },
  activating: { subvolumeUuid: 'u', activation: 3, bootId: 'b' },
  activations: 3,
  moved: { id: 'm', to: 'l-work1', digest: 'd', user: 'kim', command: 'rollback', at: 't' },
}

describe('the ledger file', () => {
  let directory = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'container-snap-ledger-'))
  })
  afterAll(async () => rm(directory, { recursive: true, force: true }))

  test('comes back as it was saved, and nothing but its reserve stays beside it', async () => {
    const path = join(directory, 'one.json')
    await saveLedger(path, full)
    expect(await loadLedger(path)).toEqual({ ledger: full, damaged: false })
    expect(await readdir(directory)).toEqual(['one.json', 'one.json.reserve'])
  })

  test('that is not there is empty, not damaged', async () => {
    expect(await loadLedger(join(directory, 'none.json'))).toEqual({ ledger: emptyLedger, damaged: false })
  })

  test('that is damaged is kept under another name', async () => {
    const path = join(directory, 'two.json')
    await writeFile(path, '{"version":1,')
    expect(await loadLedger(path)).toEqual({ ledger: emptyLedger, damaged: true })
    expect(await readFile(await setAsideLedger(path), 'utf8')).toBe('{"version":1,')
  })

  test('that cannot be read or written is told with its path', async () => {
    await expect(loadLedger(directory)).rejects.toThrow(`read the ledger ${directory}`)
    await expect(saveLedger(join(directory, 'no/folder.json'), full)).rejects.toThrow('write the ledger')
  })

  test('of a program that knew neither activations nor moves is taken as it is', () => {
    const { activating: _activating, activations: _activations, moved: _moved, ...rest } = full
    const [deployment] = full.deployments
    const { stagedAt: _stagedAt, activation: _activation, blessedAt: _blessedAt, ...older } = deployment ?? {}
    const creating = { name: 'l-work2', imageId: 'a' }
    const text = JSON.stringify({ ...rest, deployments: [older], creating })
    expect(parseLedger(text)).toEqual({
      ...full,
      activating: null,
      activations: 0,
      moved: null,
      creating: { ...creating, purpose: 'copy' },
    })
  })

  test.each([
    ['null', 'null'],
    ['a number', '7'],
    ['an older version', JSON.stringify({ ...full, version: 0 })],
    ['a list that is none', JSON.stringify({ ...full, images: {} })],
    [
      'a field of the wrong kind',
      JSON.stringify({ ...full, images: [{ ...full.images[0], sizeBytes: '1' }] }),
    ],
    ['a missing field', JSON.stringify({ ...full, deployments: [{ id: 'a-work1' }] })],
    ['a null record', JSON.stringify({ ...full, pulls: [null] })],
  ])('with %s in it is not trusted', (_what, text) => {
    expect(parseLedger(text)).toBeNull()
  })
})
