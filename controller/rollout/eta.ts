import { fleetBlock } from './budget.ts'
import { renderReason } from './sentences.ts'
import { fleetOf } from './state-entries.ts'
import type { Rollout, RolloutEngineState } from './state.ts'
import type { Now } from './now.ts'
import type { WaveView } from './wave-views.ts'

/** What can be said of the end of a rollout without guessing how long hosts or people take. */
export type EtaView = {
  /** It cannot end before: soaks that are left, and the window or freeze that hosts wait for. 0: nothing is known. */
  readonly endsEarliestAtMs: number
  /** Why it may end later, or why nothing is known; empty: it ends then if nothing goes wrong, or has ended. */
  readonly endUnknownBecause: string
  /** When the wave that runs has passed its deadline; 0: none runs. */
  readonly waveDeadlineAtMs: number
}

const nothing: EtaView = { endsEarliestAtMs: 0, endUnknownBecause: '', waveDeadlineAtMs: 0 }

export function etaOf(
  state: RolloutEngineState,
  { rollout, waves }: { readonly rollout: Rollout; readonly waves: readonly WaveView[] },
  now: Now,
): EtaView {
  const { record } = rollout
  if (record.state.kind === 'RollingBack')
    return { ...nothing, endUnknownBecause: 'hosts go back as fast as they can' }
  if (record.state.kind === 'Paused') return { ...nothing, endUnknownBecause: 'it is paused' }
  if (record.state.kind !== 'Progressing') return nothing
  const fleet = fleetOf(state, record.fleet)
  const block = fleetBlock(state, fleet)
  if (block !== null) return { ...nothing, endUnknownBecause: renderReason(block) }
  const left = waves.filter(
    ({ hostsTotal, state: is }) => hostsTotal > 0 && is !== 'Succeeded' && is !== 'Skipped',
  )
  if (left.length === 0) return { ...nothing, endUnknownBecause: 'none of its waves has hosts' }
  const running = record.waves.find((wave) => wave.state === 'Running')
  const waveDeadlineAtMs =
    running === undefined ? 0 : now.wallMs + Math.max(0, record.strategy.deadlines.waveMs - running.ranMs)
  const [opensAtMs] = left.flatMap(({ gate }) => (gate.window === null ? [] : [gate.window.opensAtMs]))
  if (opensAtMs === 0) return { ...nothing, endUnknownBecause: 'no window is long enough' }
  const soaksMs = left.reduce((sum, { gate }) => sum + Math.max(0, gate.soakMs - gate.soakedMs), 0)
  const endUnknownBecause = unknownIn(left)
  const endsEarliestAtMs = (opensAtMs ?? now.wallMs) + soaksMs
  // That it cannot have ended already is no news.
  const isKnown = endsEarliestAtMs > now.wallMs || endUnknownBecause === ''
  return { endsEarliestAtMs: isKnown ? endsEarliestAtMs : 0, endUnknownBecause, waveDeadlineAtMs }
}

/** What nobody can tell the length of: people first, then what is measured, then hosts. */
function unknownIn(left: readonly WaveView[]): string {
  const asking = left.find(({ gate }) => gate.approval !== null && gate.approval.approved === null)
  if (asking !== undefined) return `wave "${asking.name}" needs an approval`
  const measured = left.find(({ gate }) => gate.analyses.length > 0)
  if (measured !== undefined) return `wave "${measured.name}" takes as long as its analyses do`
  const hosts = left.reduce((sum, wave) => sum + openHosts(wave), 0)
  if (hosts === 0) return ''
  return hosts === 1 ? '1 host is still to be updated' : `${hosts} hosts are still to be updated`
}

function openHosts({ hostsFailed, hostsSkipped, hostsSucceeded, hostsTotal }: WaveView): number {
  return hostsTotal - hostsFailed - hostsSkipped - hostsSucceeded
}
