import { describe, expect, it } from 'vitest'
import { Grant } from './record-schema.ts'

describe('a stored grant', () => {
  it('of a controller that did not know broken hosts takes a slot', () => {
    const stored = {
      rolloutId: 'edge.1',
      hostId: 'h1',
      generation: 1,
      attempt: 1,
      direction: 'Forward',
      stageUntilMs: null,
      activateUntilMs: 5,
      bootIdBefore: 'boot-1',
      endBy: 9,
      phase: 'Staged',
      message: '',
      grantedAtMs: 1,
      endedAtMs: null,
    }
    expect(Grant.parse(stored)).toEqual({ ...stored, brokenBefore: false })
    expect(Grant.parse({ ...stored, brokenBefore: true }).brokenBefore).toBe(true)
  })
})
