import { writeRollout } from './state-entries.ts'
import type { Bucket, Rollout } from './state.ts'
import type { Changes } from './changes.ts'
import type { PauseCause } from './states.ts'
import type { VerbRecord, WaveRecord } from './records.ts'
import { withVerb } from './verb-log.ts'
import { activeWaveIndex } from './waves.ts'

export function pauseRollout(rollout: Rollout, changes: Changes, cause: PauseCause): void {
  writeRollout(rollout, changes, { ...rollout.record, state: { kind: 'Paused', cause } })
}

/**
 * The gate is judged again at once with today's counts, so a pause whose reason still holds comes back; it is never
 * the next wave that begins. What only time or another answer could change begins anew: deadlines, the wait for
 * approval, measurements; and attempts that reached nobody are forgiven, since without that such a wave could never
 * be resumed. Whoever calls makes sure that the digest is not denied: then only git can go on. Grants wait until the
 * header no longer says Paused.
 */
export function resumeRollout(rollout: Rollout, changes: Changes, said: VerbRecord): void {
  const { record } = rollout
  if (record.state.kind !== 'Paused') return
  const { cause } = record.state
  const index = activeWaveIndex(record.waves)
  const waves = record.waves.map((wave, at) =>
    at === index ? askedAgain(wave, cause, rollout.buckets[at] as Bucket) : wave,
  )
  writeRollout(rollout, changes, { ...withVerb(record, said), waves, state: { kind: 'Progressing' } })
  changes.again = true
}

function askedAgain(wave: WaveRecord, cause: PauseCause, bucket: Bucket): WaveRecord {
  switch (cause.kind) {
    case 'Deadline':
    case 'Unreachable':
      return { ...wave, ranMs: 0, forgiven: bucket.inconclusive }
    case 'Approval':
      return { ...wave, awaitedMs: 0, approvals: [] }
    case 'Inconclusive':
      return { ...wave, measured: wave.measured.map((each) => ({ ...each, dueInMs: 0 })) }
    case 'User':
    case 'Failure':
      return wave
  }
}
