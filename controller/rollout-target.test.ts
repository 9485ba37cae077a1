import { expect, test } from 'vitest'
import { open } from './rollout/engine.ts'
import type { RolloutState } from './rollout/states.ts'
import type { RolloutRecord, WaveRecord } from './rollout/types.ts'
import { findRollout, requireEffect } from './rollout-target.ts'

const digest = `sha256:${'1'.repeat(64)}`
const image = { repository: 'registry.example/os', digest, version: '1.0.0', manifests: {} }

const wave: WaveRecord = {
  name: 'all',
  state: 'Running',
  size: 1,
  lastOrderKey: 'z',
  soakMs: 0,
  soakedMs: 0,
  ranMs: 0,
  failureLimit: { max: { kind: 'count', count: 0 }, minAttempted: 1 },
  onFailure: 'Pause',
}

function engine(
  rolloutState: RolloutState,
  denied: readonly string[] = [],
): ReturnType<typeof open>['state'] {
  const rollout: RolloutRecord = {
    id: 'edge.1',
    fleet: 'edge',
    generation: 1,
    revision: 'r1',
    commit: 'c1',
    image,
    from: null,
    startedAtMs: 0,
    populationSize: 0,
    strategy: {
      maxUnavailable: { kind: 'count', count: 1 },
      deadlines: { downloadMs: 1, activateMs: 1, healthMs: 1, waveMs: 1 },
      health: { checks: [], stableForMs: 0 },
    },
    waves: [wave],
    state: rolloutState,
    term: 1,
  }
  const denials = denied.map((each) => ({ digest: each, reason: 'till-17 failed', atMs: 0 }))
  const fleet = { fleet: 'edge', generation: 1, stable: null, denied: denials, rolloutId: 'edge.1' }
  const records = { fleets: [fleet], rollouts: [rollout], grants: [], hosts: [], enrolments: [] }
  return open(records, { wallMs: 0, elapsedMs: 0 }).state
}

const paused: RolloutState = { kind: 'Paused', cause: { kind: 'User', actor: 'kim', reason: '', atMs: 0 } }

test('a rollout is found by its id and by its fleet', () => {
  const state = engine({ kind: 'Progressing' })
  expect(findRollout(state, 'edge')).toBe('edge.1')
  expect(findRollout(state, 'edge.1')).toBe('edge.1')
  expect(() => findRollout(state, 'nothing')).toThrow('there is no such fleet or rollout')
})

test('pausing what has ended is refused, and says what it is', () => {
  const verb = { kind: 'pause', rolloutId: 'edge.1' } as const
  expect(() => requireEffect(engine({ kind: 'Progressing' }), verb)).not.toThrow()
  const ended = engine({ kind: 'RolledBack', atMs: 0, cause: 'x' })
  expect(() => requireEffect(ended, verb)).toThrow('pausing rollout edge.1: it is RolledBack')
})

test('resuming works on a pause, and not when the digest is denied', () => {
  const verb = { kind: 'resume', rolloutId: 'edge.1' } as const
  expect(() => requireEffect(engine(paused), verb)).not.toThrow()
  expect(() => requireEffect(engine({ kind: 'Progressing' }), verb)).toThrow('it is Progressing')
  expect(() => requireEffect(engine(paused, [digest]), verb)).toThrow('git must name another digest')
})
