import type { Changes } from './changes.ts'
import { readReport, refersTo } from './evidence.ts'
import type { Told } from './evidence.ts'
import { endGrant, putOff, writeGrant } from './grants.ts'
import { moveOf } from './host-names.ts'
import { messageOfMove } from './membership.ts'
import { targetOf } from './needs.ts'
import { isCommitted, isEnded } from './phases.ts'
import type { GrantRecord } from './records.ts'
import type { HostReport } from './report.ts'
import { retryOf } from './retry.ts'
import type { Host, RolloutEngineState } from './state.ts'
import type { ResolvedImage } from './wanted.ts'

/** A plan that it does not follow leads nowhere, however long one waits; past the commit point none has a say. */
function endRefused(state: RolloutEngineState, changes: Changes, { grants, record }: Host): void {
  const refused = record?.report.refused
  const grant = refused && grants.get(refused.plan.rollout)
  if (!refused || !grant || !refersTo(refused, grant)) return
  if (isEnded(grant.phase) || isCommitted(grant.phase)) return
  const message = `${refused.code}: ${refused.message}`
  endGrant(state, changes, { grant, phase: 'Rejected', message })
}

/** What the host's last report says about each of its steps; the same report twice changes nothing. */
export function readHost(state: RolloutEngineState, changes: Changes, host: Host): void {
  endRefused(state, changes, host)
  const report = host.record?.report
  const grant = report?.plan && host.grants.get(report.plan.rollout)
  const rollout = grant && state.rollouts.get(grant.rolloutId)
  if (!report || !grant || !rollout) return
  endOvertaken(state, changes, { host, report, by: grant })
  const told = readReport(grant, targetOf(rollout.record, grant), report)
  if (told === null) return endOfMove(state, changes, host, grant)
  const end = isEnded(told.phase)
  const { retry } = rollout.record.strategy
  const again = told.phase === 'Failed' ? retryOf(grant, report, { retry, wallMs: changes.now.wallMs }) : null
  if (again !== null) return putOff(state, changes, { ...grant, ...again, message: told.message })
  writeGrant(state, changes, {
    ...grant,
    phase: told.phase,
    message: told.message,
    stageUntilMs: end ? null : grant.stageUntilMs,
    activateUntilMs: end ? null : grant.activateUntilMs,
    endedAtMs: end ? changes.now.wallMs : null,
    inconclusive: grant.inconclusive + Number(told.phase === 'Inconclusive'),
  })
}

/** The host let go of a step when a person overtook it, also past its commit point. */
function endOfMove(state: RolloutEngineState, changes: Changes, host: Host, grant: GrantRecord): void {
  const move = moveOf(host)
  if (move === null || isEnded(grant.phase) || host.record?.report.phase !== 'Idle') return
  endGrant(state, changes, { grant, phase: 'Removed', message: messageOfMove(move) })
}

type Overtaken = { readonly host: Host; readonly report: HostReport; readonly by: GrantRecord }

/**
 * A host finishes what is past its commit point before it takes another plan. One that speaks of a newer plan has
 * therefore ended the older step, also where its last word on that was lost.
 */
function endOvertaken(state: RolloutEngineState, changes: Changes, { by, host, report }: Overtaken): void {
  const newer = state.rollouts.get(by.rolloutId)?.record
  for (const grant of host.grants.values()) {
    const rollout = state.rollouts.get(grant.rolloutId)?.record
    if (rollout === undefined || rollout === newer || !isCommitted(grant.phase)) continue
    // Generations grow within a fleet; between fleets only the time of the grant tells.
    const isOlder =
      rollout.fleet === newer?.fleet ? grant.generation < by.generation : grant.grantedAtMs < by.grantedAtMs
    if (isOlder) endGrant(state, changes, { grant, ...endOf(grant, targetOf(rollout, grant), report) })
  }
}

function endOf(grant: GrantRecord, { digest, manifests }: ResolvedImage, report: HostReport): Told {
  const refused = [digest, manifests[report.architecture]]
  const fellBack = report.deniedDigests.some((denied) => refused.includes(denied))
  const silent = 'took a newer plan without a last word on this one'
  return {
    phase: fellBack ? 'RolledBack' : 'Superseded',
    message: grant.message === '' ? silent : grant.message,
  }
}
