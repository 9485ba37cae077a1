import type { CommitStatus } from './forges/commit-status.ts'
import type { FleetView } from './rollout/fleet-views.ts'
import { shortDigest } from './rollout/sentences.ts'
import type { SourceState } from './sources-loop.ts'

/**
 * What a forge should show of a source's commits: whether the head is in force, and where each of its fleets is.
 * Without counts of hosts: a forge keeps every status ever sent, and some refuse the thousandth.
 */
export function verdictsOf(source: SourceState, fleets: readonly FleetView[]): readonly CommitStatus[] {
  const verdicts: CommitStatus[] = []
  const { headCommit, acceptedCommit, rejection } = source
  if (rejection !== null) {
    const [first = 'no reason given'] = (rejection.issues[0] ?? '').split('\n')
    const description = `rejected: ${first}`
    verdicts.push({ commit: rejection.commit, context: 'bootfleet', state: 'failure', description })
  } else if (headCommit !== '' && headCommit === acceptedCommit) {
    const description = 'accepted and in force'
    verdicts.push({ commit: headCommit, context: 'bootfleet', state: 'success', description })
  }
  if (acceptedCommit === '') return verdicts
  for (const fleet of fleets) {
    // What the engine says of a fleet is still about the commit before until it has heard of this one.
    if (fleet.acceptedCommit !== acceptedCommit) continue
    verdicts.push({ commit: acceptedCommit, context: `bootfleet/${fleet.name}`, ...verdictOf(fleet) })
  }
  return verdicts
}

type Verdict = Pick<CommitStatus, 'state' | 'description'>

function verdictOf(fleet: FleetView): Verdict {
  const image = imageOf(fleet)
  switch (fleet.state) {
    case 'Synced':
      return { state: 'success', description: `the fleet is on ${image}` }
    case 'Progressing':
      return { state: 'pending', description: `${image} is being rolled out${waveOf(fleet)}` }
    case 'AwaitingApproval':
      return { state: 'pending', description: `${image} waits for approval${waveOf(fleet)}` }
    case 'Paused':
      return {
        state: isFailure(fleet) ? 'failure' : 'pending',
        description: `${image} is paused: ${fleet.message}`,
      }
    case 'Suspended':
    case 'Halted':
    case 'Pending':
      return { state: 'pending', description: fleet.message }
    case 'Held':
      return { state: fleet.halted === null ? 'failure' : 'pending', description: fleet.message }
    case 'Aborted':
    case 'RolledBack':
    case 'Failed':
      return { state: 'failure', description: `${image}: ${fleet.message}` }
  }
}

function imageOf({ version, digest }: FleetView): string {
  return version === '' ? shortDigest(digest) : version
}

/** As against a pause that a person or a gate asked for. */
function isFailure({ rollout }: FleetView): boolean {
  return rollout?.pausedFor === 'Failure' || rollout?.pausedFor === 'Deadline'
}

function waveOf({ rollout }: FleetView): string {
  const ended = ['Pending', 'Succeeded', 'Skipped', 'Failed', 'Cancelled']
  const wave = rollout?.waves.find(({ state }) => !ended.includes(state))
  return wave === undefined ? '' : `, wave "${wave.name}"`
}
