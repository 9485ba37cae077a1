import { duration } from '../../controller/rollout/sentences.ts'
import type { Outlook } from '../offline/outlook.ts'
import { counted, isChanged, titleLines, whenOf } from './outlook.ts'
import { renderTable } from './table.ts'

type FleetOutlook = Outlook['fleets'][number]

/** How it goes: when each wave begins and ends, how far a failure reaches, and what held hosts up. */
export function renderSimulation(outlook: Outlook): string {
  return outlook.fleets.map((fleet) => renderFleet(outlook, fleet)).join('\n')
}

function renderFleet(outlook: Outlook, fleet: FleetOutlook): string {
  const { hosts, limits, rollout, waves } = fleet
  const title = titleLines(outlook, fleet).join('\n  ')
  if (rollout === null || !hosts.some(isChanged)) return `${title}\n`
  const waveRows = waves.map((wave, index) => {
    const members = hosts.filter((host) => host.wave === index)
    const succeeded = members.filter(({ phase }) => phase === 'Succeeded').length
    return [
      wave.name,
      `${succeeded}/${wave.size}`,
      wave.state,
      whenOf(wave.beganAtMs),
      whenOf(wave.endedAtMs),
    ]
  })
  const limitRows = limits.map((limit) => [
    limit.kind,
    String(limit.hosts),
    duration(limit.waitedMs / limit.hosts),
  ])
  return [
    `${title}\n`,
    `${endingOf(fleet)}\n${blastOf(fleet)}\n\n`,
    renderTable([['WAVE', 'DONE', 'STATE', 'BEGINS', 'ENDS'], ...waveRows]),
    limits.length === 0
      ? ''
      : `\n${renderTable([['WHAT HELD HOSTS UP', 'HOSTS', 'EACH, ABOUT'], ...limitRows])}`,
  ].join('')
}

function endingOf({ endedAfterMs, rollout }: FleetOutlook): string {
  const state = rollout?.state
  const cause = state?.kind === 'Paused' ? ` (${state.cause.kind})` : ''
  if (endedAfterMs === null) return `${state?.kind ?? 'nothing'} still, after 60 days`
  return `${state?.kind ?? 'nothing'}${cause} after ${duration(endedAfterMs)}`
}

/** How many hosts had met the new image when it was stopped, or at the end. */
function blastOf({ hosts }: FleetOutlook): string {
  const met = hosts.filter(({ activatedAtMs }) => activatedAtMs !== null).length
  const failing = new Set(['Failed', 'RolledBack', 'TimedOut', 'Rejected', 'Inconclusive'])
  const failed = hosts.filter(({ phase }) => phase !== null && failing.has(phase)).length
  return `blast radius: ${counted(met)} of ${hosts.length} booted it, ${failed} failed`
}
