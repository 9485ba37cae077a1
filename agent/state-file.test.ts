import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readState, writeState } from './state-file.ts'
import { acceptedPlan } from './testing/machine-model.ts'
import { digestOf } from './testing/plans.ts'
import { newWorld, worldIn } from './testing/world.ts'

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

describe('the state file', () => {
  let directory: string
  let path: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-state-'))
    path = join(directory, 'agent/state.json')
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('is absent before the first start', async () => {
    expect(await readState(path, NOW_MS)).toEqual({ kind: 'absent' })
  })

  it.each([
    'Downloading',
    'Staging',
    'Activating',
    'Rebooting',
    'Verifying',
    'RollingBack',
    'Healthy',
    'RolledBack',
  ] as const)('gives back what was written in %s', async (phase) => {
    const { disk } = worldIn(phase, acceptedPlan(phase.startsWith('Roll') ? '3' : '1'))
    await writeState(path, disk)
    expect(await readState(path, NOW_MS)).toEqual({ kind: 'read', state: disk })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('gives back the waiting phases too', async () => {
    const plan = acceptedPlan('1', { stageUntilMs: null, activateUntilMs: null })
    for (const at of [
      { phase: 'Idle' },
      { phase: 'Ready', plan },
      { phase: 'Staged', plan, targetDeploymentId: 'x' },
    ] as const) {
      const state = { ...newWorld().disk, at }
      await writeState(path, state)
      expect(await readState(path, NOW_MS)).toEqual({ kind: 'read', state })
    }
  })

  it('keeps the old content whatever a crash leaves of the new one', async () => {
    const { disk } = newWorld()
    await writeState(path, disk)
    const text = JSON.stringify(worldIn('Healthy').disk)
    for (const length of [0, 1, text.length - 1, text.length]) {
      await writeFile(`${path}.new`, text.slice(0, length))
      expect(await readState(path, NOW_MS)).toEqual({ kind: 'read', state: disk })
    }
    await writeState(path, worldIn('Staging').disk)
    expect(await readState(path, NOW_MS)).toMatchObject({ state: { at: { phase: 'Staging' } } })
  })

  it('is set aside when it is damaged, at whatever byte it ends', async () => {
    await writeState(path, worldIn('Healthy').disk)
    const text = (await readFile(path, 'utf8')).trimEnd()
    for (const length of [0, 1, 10, Math.floor(text.length / 2), text.length - 1]) {
      await writeFile(path, text.slice(0, length))
      const content = await readState(path, NOW_MS)
      expect(content).toMatchObject({ kind: 'damaged', setAsideAs: `${path}.damaged-2026-01-02T030405.000Z` })
      expect(await readState(path, NOW_MS)).toEqual({ kind: 'absent' })
    }
    expect(await readdir(join(directory, 'agent'))).toEqual(['state.json.damaged-2026-01-02T030405.000Z'])
  })

  it('of a newer agent is set aside, and what must not be forgotten is kept', async () => {
    const { disk } = worldIn('Verifying', acceptedPlan('3', { deny: [digestOf('old')] }))
    const floors = [{ manifestDigest: digestOf('2'), version: '2', rollout: 'edge-2' }]
    const newer = {
      ...disk,
      floors,
      firstMove: 'm0',
      version: 2,
      accepted: { ...disk.accepted, extra: 1 },
      more: true,
    }
    await writeState(path, disk)
    await writeFile(path, JSON.stringify(newer))
    expect(await readState(path, NOW_MS)).toMatchObject({
      kind: 'damaged',
      salvaged: {
        accepted: disk.accepted,
        deniedDigests: [digestOf('old'), digestOf('3')],
        floors,
        firstMove: 'm0',
      },
    })
  })

  it('of a newer agent that nothing is known of keeps nothing', async () => {
    await writeState(path, newWorld().disk)
    for (const text of ['[]', '{"version":2,"accepted":{},"deniedDigests":"all","at":{"phase":"New"}}']) {
      await writeFile(path, text)
      const salvaged = { accepted: null, deniedDigests: [] }
      expect(await readState(path, NOW_MS)).toMatchObject({ kind: 'damaged', salvaged })
    }
  })

  it('that cannot be written is an error of ours', async () => {
    await writeFile(join(directory, 'file'), '')
    const writing = writeState(join(directory, 'file/state.json'), newWorld().disk)
    await expect(writing).rejects.toMatchObject({ code: 'StateUnwritable' })
    const reading = readState(join(directory, 'file/state.json'), NOW_MS)
    await expect(reading).rejects.toMatchObject({ code: 'StateUnwritable' })
  })
})
