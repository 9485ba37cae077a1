import type { Explanation } from './explain.ts'
import { isLimit } from './limit-sentences.ts'
import type { HostPhase, LimitReason, PauseCause } from './states.ts'

const nextOfDenied =
  'a rollout begins when git names another digest, or an operator allows this one ("bootfleet allow FLEET DIGEST")'

/** What happens next to a host, and who makes it happen. */
export function renderNext(explanation: Explanation): string {
  if (explanation.kind === 'Progressing') return nextOfPhase(explanation.phase)
  if (isLimit(explanation)) return nextOfLimit(explanation)
  switch (explanation.kind) {
    case 'ReportOnly':
      return 'nothing, until its agent runs with host.driver: container-snap, on a machine that boots our images'
    case 'NoFleet':
      return 'nothing, until a fleet in git selects it or its labels change'
    case 'MultipleOwners':
      return 'nothing, until git leaves it to one fleet'
    case 'FleetNotWanted':
      return 'nothing, until git has its fleet again'
    case 'Suspended':
      return 'the rollout goes on when git says suspend: false'
    case 'NothingToFollow':
      return `a rollout begins when fleet ${explanation.fleet} has been on one image for long enough`
    case 'Unverified':
      return 'a rollout begins when the image has that signature, or git asks for another one'
    case 'Denied':
      return nextOfDenied
    case 'Halted':
      return `it gets its turn again with "bootfleet resume ${explanation.fleet ?? '--all'}"`
    case 'Held':
      return explanation.inMs === null
        ? 'nothing, until git ends its hold'
        : 'it gets its turn again when its hold is over'
    case 'Unguarded':
      return `nothing, until Host ${explanation.host} in git says allowUnguardedBoot: true, or its agent, when it starts, finds a boot loader that counts tries`
    case 'Drifted(local)':
      return `nothing, until "bootfleet resume host/${explanation.host}" lets it follow its fleet again`
    case 'Pinned':
      return 'nothing, until git pins it to another digest or ends its pin'
    case 'PinNotFound':
      return 'it is granted its pin when the registry has that digest'
    case 'Downgrade':
      return 'a rollout begins when git names a newer image, or says downgrade: Allow'
    case 'UnknownVersion':
      return 'it gets its turn when its version is known, or git pins it'
    case 'Learning':
      return 'grants begin again when the hosts have been asked'
    case 'FirstReports':
      return 'its first rollout begins when these hosts have reported, or the time is over'
    case 'RolloutPaused':
      return nextOfPause(explanation.cause)
    case 'RolloutAborted':
      return 'nothing, until git names another image or "bootfleet retry" begins it anew'
    case 'WaitsForWave':
      return `its turn comes when wave "${explanation.wave}" has passed its gate`
    case 'Unreachable':
      return 'it is granted its step when its agent connects; past its wave’s deadline the wave goes on without it'
    case 'NoManifestForArchitecture':
      return 'it is granted the image when the registry has one for it and git names that digest'
    case 'OldRolloutInFlight':
      return 'the current rollout takes it over when that step has ended'
    case 'Ended':
      return explanation.denied === undefined ? nextOfEnd(explanation.phase) : nextOfDenied
  }
}

function nextOfLimit(limit: LimitReason): string {
  switch (limit.kind) {
    case 'DownloadSlots':
      return 'it is granted the download when another host of the fleet ends its own'
    case 'MaxUnavailable':
      return limit.allowed === 0
        ? 'nothing, until git raises maxUnavailable above 0'
        : 'it is granted the reboot when another host of the fleet is healthy again'
    case 'TopologyBudget':
      return `it is granted the reboot when another host of ${limit.topologyKey} "${limit.value}" is healthy again`
    case 'Freeze':
      return `it is granted the reboot when freeze "${limit.name}" is over and everything else allows it`
    case 'Window':
      return limit.inMs === null
        ? 'nothing, until git has a window that is long enough, or shorter deadlines'
        : `it is granted the ${limit.action === 'Download' ? 'download' : 'reboot'} when the window opens`
    case 'Prefetched':
      return `it is granted the reboot in its own wave, after wave "${limit.wave}" has passed its gate`
    case 'Rate':
      return 'it is granted the reboot when the rate allows another one'
    case 'Backoff':
      return 'it tries that step again when the time is over'
  }
}

function nextOfPhase(phase: HostPhase): string {
  switch (phase) {
    case 'Pending':
      return 'it is granted the download with the next decision'
    case 'Granted':
    case 'Downloading':
      return 'it says when the image is staged, and then waits for its turn to reboot'
    case 'AwaitingSlot':
    case 'Staged':
      return 'it activates the image and reboots'
    case 'Activating':
    case 'Rebooting':
      return 'it boots the image, or the loader goes back to the one before'
    case 'Verifying':
      return 'its checks decide: it stays on the image, or goes back to the one before'
    case 'RollingBack':
      return 'it boots the image before, and says what it saw'
    case 'Succeeded':
      return 'nothing, until git names another image'
    case 'Failed':
    case 'Rejected':
    case 'RolledBack':
    case 'TimedOut':
    case 'Inconclusive':
    case 'Skipped':
    case 'Superseded':
    case 'Cancelled':
    case 'Removed':
      return nextOfEnd(phase)
  }
}

function nextOfEnd(phase: HostPhase): string {
  if (phase === 'Rejected')
    return 'nothing in this rollout: an image that a host refuses is never tried again'
  if (phase === 'Inconclusive') return 'it is tried again after the other hosts of its wave'
  return 'nothing by itself: fix it in git, or let it try again with "bootfleet retry"'
}

function nextOfPause(cause: PauseCause): string {
  switch (cause.kind) {
    case 'Approval':
      return 'the rollout goes on when somebody approves it; "bootfleet resume" asks again'
    case 'Inconclusive':
      return 'the rollout goes on with "bootfleet resume", which looks again, or "bootfleet promote"'
    case 'User':
    case 'Failure':
    case 'Unreachable':
    case 'Deadline':
      return 'the rollout goes on with "bootfleet resume", or git replaces it'
  }
}
