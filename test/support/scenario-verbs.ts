import type { Measurement } from '../../controller/rollout/records.ts'
import type { RolloutEvent, RolloutVerb } from '../../controller/rollout/events.ts'
import { imageOf } from './rollout-agent.ts'
import { dispatch } from './rollout-world.ts'
import type { World } from './rollout-world.ts'

/** What an operator, or a measurement, tells the engine. */
export function tell(
  world: World,
  kind: RolloutVerb['kind'] | 'retry' | 'measured',
  words: readonly string[],
): true {
  dispatch(world, eventOf(world, kind, words))
  return true
}

function eventOf(
  world: World,
  kind: RolloutVerb['kind'] | 'retry' | 'measured',
  [rolloutId = '', ...words]: readonly string[],
): RolloutEvent {
  if (kind === 'measured') {
    const [wave = '', analysis = '', outcome = '', ...detail] = words
    const measured = { kind: outcome as Measurement['kind'], detail: detail.join(' ') }
    return { kind, rolloutId, wave, analysis, outcome: measured }
  }
  const actor = named(words, 'by') ?? 'kim'
  if (kind === 'retry') {
    const host = world.agents.get(words[0] ?? '')?.hostId ?? null
    return { kind, rolloutId, hostId: host, actor, reason: words.slice(host === null ? 0 : 1).join(' ') }
  }
  const wave = named(words, 'wave')
  const reason = words.filter((word) => !/^(?:wave|by)=/.test(word)).join(' ')
  return { kind, rolloutId, actor, reason, ...(wave === undefined ? {} : { wave }) }
}

/** approve edge.1 by=alice wave=canary looks good */
function named(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** deny edge 2.0.0 it leaks; halt; halt edge the sky falls */
export function tellOfFleet(
  world: World,
  kind: 'deny' | 'allow' | 'halt' | 'unhalt',
  [fleet = '', ...words]: readonly string[],
): true {
  const actor = 'kim'
  if (kind === 'deny' || kind === 'allow') {
    const [version = '', ...reason] = words
    dispatch(world, { kind, fleet, digest: imageOf(version).digest, actor, reason: reason.join(' ') })
  } else dispatch(world, { kind, fleet: fleet === '' ? null : fleet, actor, reason: words.join(' ') })
  return true
}
