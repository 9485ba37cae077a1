import type { RolloutStatus } from '../gen/bootfleet/v1/operator_pb.ts'
import { instantWord, untilWord } from './words.ts'

type Eta = Pick<RolloutStatus, 'endsEarliestAtMs' | 'endUnknownBecause' | 'waveDeadlineAtMs'>

/** When a rollout ends as far as anybody can know; empty when it has ended. */
export function etaWords(
  { endUnknownBecause, endsEarliestAtMs, waveDeadlineAtMs }: Eta,
  nowMs: number,
): string {
  const deadline =
    waveDeadlineAtMs === 0n ? '' : ` · deadline of its wave ${untilWord(Number(waveDeadlineAtMs), nowMs)}`
  if (endsEarliestAtMs === 0n)
    return endUnknownBecause === '' ? '' : `ETA unknown: ${endUnknownBecause}${deadline}`
  const when = untilWord(Number(endsEarliestAtMs), nowMs)
  if (endUnknownBecause === '') return `ETA ${when}, if nothing goes wrong${deadline}`
  return `ETA not before ${instantWord(Number(endsEarliestAtMs))}: ${endUnknownBecause}${deadline}`
}
