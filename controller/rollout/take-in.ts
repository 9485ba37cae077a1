import { takeMeasurement } from './analysis.ts'
import { recount } from './contribution.ts'
import { resumeHost } from './local-move.ts'
import { denyAsGitSays, takeDenial } from './denial.ts'
import { followFleets } from './following.ts'
import { readHost } from './readings.ts'
import { noticeLoss } from './learning.ts'
import { takeHalt } from './halt.ts'
import { forgetDomains } from './holds.ts'
import { assignAll, assignOwner, noteHoldEnd } from './membership.ts'
import { takesArguments } from './kernel-arguments.ts'
import { keepSigned } from './signatures.ts'
import { runningAfter } from './running.ts'
import { isReportOnly, moveOf } from './host-names.ts'
import { hostOf } from './state-entries.ts'
import type { Changes } from './changes.ts'
import type { Host, RolloutEngineState } from './state.ts'
import { takeVerb } from './verbs.ts'
import type { HostReport } from './report.ts'
import type { RolloutEvent } from './events.ts'

export function takeIn(state: RolloutEngineState, changes: Changes, event: RolloutEvent): void {
  if ('actor' in event) return takeOrder(state, changes, event)
  switch (event.kind) {
    case 'enrolled': {
      const host = hostOf(state, event.enrolment.hostId)
      recount(state, host, () => {
        host.enrolment = event.enrolment
      })
      assignOwner(state, changes, host)
      if (host.hold !== null) noteHoldEnd(state, host)
      return
    }
    case 'wanted':
      state.commit = event.commit
      state.wanted = new Map(event.fleets.map((fleet) => [fleet.name, fleet]))
      state.declarations = new Map(event.hosts.map((declaration) => [declaration.name, declaration]))
      state.freezes = event.freezes
      forgetDomains(state)
      for (const fleet of event.fleets) keepSigned(state, changes, fleet)
      followFleets(state, changes.now)
      assignAll(state, changes, event.fleets)
      denyAsGitSays(state, changes)
      return
    case 'report':
      takeReport(state, changes, event)
      return
    case 'connection': {
      const host = hostOf(state, event.hostId)
      recount(state, host, () => {
        host.connected = event.connected
      })
      return
    }
    case 'measured':
      takeMeasurement(state, changes, event)
      return
    case 'timer':
  }
}

type Order = Extract<RolloutEvent, { readonly actor: string }>

function takeOrder(state: RolloutEngineState, changes: Changes, event: Order): void {
  switch (event.kind) {
    case 'pause':
    case 'resume':
    case 'promote':
    case 'approve':
    case 'abort':
    case 'rollback':
    case 'retry':
      takeVerb(state, changes, event)
      return
    case 'deny':
    case 'allow':
      takeDenial(state, changes, event)
      return
    case 'resumeHost':
      resumeHost(state, changes, event)
      return
    case 'halt':
    case 'unhalt':
      takeHalt(state, changes, event)
      return
  }
}

/** Stored before it is counted; the very same report again is neither. */
function takeReport(
  state: RolloutEngineState,
  changes: Changes,
  { hostId, report }: { readonly hostId: string; readonly report: HostReport },
): void {
  const host = hostOf(state, hostId)
  host.heard = true
  noticeLoss(state, report)
  if (host.record !== null && JSON.stringify(host.record.report) === JSON.stringify(report)) return
  const { wallMs } = changes.now
  const running = runningAfter(host.record, report, wallMs)
  const resumed = host.record?.resumed
  const record = { hostId, report, receivedAtMs: wallMs, running, ...(resumed && { resumed }) }
  const before = placeOf(host)
  recount(state, host, () => {
    host.record = record
  })
  changes.writes.set(`host ${hostId}`, { kind: 'host', record })
  if (placeOf(host) !== before) {
    assignOwner(state, changes, host)
    changes.publishes.add(hostId)
  }
  readHost(state, changes, host)
}

/** All that a report tells of what the host may be given; another is another place in its fleet. */
function placeOf(host: Host): string {
  return JSON.stringify([
    isReportOnly(host),
    takesArguments(host),
    moveOf(host)?.id,
    host.record?.report.unguarded,
  ])
}
