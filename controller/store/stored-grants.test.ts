import { describe, expect, it } from 'vitest'
import { Grant } from './stored-grants.ts'

describe('a stored grant', () => {
  it('of a controller that knew neither broken hosts nor inconclusive attempts takes a slot', () => {
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
    expect(Grant.parse(stored)).toEqual({
      ...stored,
      image: null,
      pinned: false,
      failedBefore: false,
      brokenBefore: false,
      inconclusive: 0,
      failures: 0,
      activateGrantedAtMs: null,
      retries: { download: 0, stage: 0 },
      notBeforeMs: null,
      retried: null,
    })
    expect(Grant.parse({ ...stored, brokenBefore: true }).brokenBefore).toBe(true)
  })
})
