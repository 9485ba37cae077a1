import { describe, expect, it } from 'vitest'
import { acceptedPlan, restart, take } from '../testing/machine-model.ts'
import { NOW_MS, accept, failed, newWorld, worldIn } from '../testing/world.ts'

describe('an image that is to be checked before it is deployed', () => {
  it('is checked again when the process starts again in between', () => {
    const world = worldIn('Staging', acceptedPlan('1', { lint: 'Enforce' }))
    restart(world, NOW_MS)
    expect(world.pending).toMatchObject([{ kind: 'stage', lint: 'Enforce' }])
    expect(worldIn('Staging').pending).toMatchObject([{ kind: 'stage', lint: null }])
  })

  it('ends the attempt when it is refused, is not denied, and is tried by another attempt only', () => {
    const world = worldIn('Staging', acceptedPlan('1', { lint: 'Enforce' }))
    const refused = { code: 'RejectedByLint', message: 'kernel: none', retryable: false }
    take(world, failed(world, refused), NOW_MS)
    const { code, message } = refused
    expect(world.disk).toMatchObject({
      at: { phase: 'Failed', failure: { code, message } },
      deniedDigests: [],
    })
    accept(world, acceptedPlan('1', { counter: 2 }))
    expect(world.disk.at.phase).toBe('Failed')
    accept(world, acceptedPlan('1', { counter: 3, attempt: 2 }))
    expect(world.disk.at.phase).toBe('Downloading')
  })

  it('takes with it what was found and let pass, until the next one is deployed', () => {
    const world = worldIn('Staging', acceptedPlan('1', { lint: 'Warn', activateUntilMs: null }))
    const staged = { kind: 'staged', deploymentId: '1-work2', etcConflicts: [] } as const
    const lintFindings = ['kernel: none']
    take(world, { ...staged, operation: world.disk.operation, lintFindings }, NOW_MS)
    expect(world.disk).toMatchObject({ at: { phase: 'Staged' }, lintFindings })
    const clean = { ...newWorld(), disk: { ...worldIn('Staging').disk, lintFindings } }
    take(clean, { ...staged, operation: clean.disk.operation }, NOW_MS)
    expect(clean.disk).not.toHaveProperty('lintFindings')
  })
})
