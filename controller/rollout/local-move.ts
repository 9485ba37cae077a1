import { recount } from './contribution.ts'
import { assignOwner } from './membership.ts'
import { moveOf } from './host-names.ts'
import type { Changes } from './changes.ts'
import type { HostRecord } from './records.ts'
import type { RolloutEngineState } from './state.ts'

export type ResumeHost = {
  readonly hostId: string
  /** The one that the operator saw: a later one is another decision of a person. */
  readonly moveId: string
  readonly actor: string
  readonly reason: string
}

/** What a person made boot there may be changed again. */
export function resumeHost(
  state: RolloutEngineState,
  changes: Changes,
  { hostId, moveId, actor, reason }: ResumeHost,
): void {
  const host = state.hosts.get(hostId)
  if (host === undefined || host.record === null || moveOf(host)?.id !== moveId) return
  const resumed = { moveId, actor, reason, atMs: changes.now.wallMs }
  const record: HostRecord = { ...host.record, resumed }
  recount(state, host, () => {
    host.record = record
  })
  changes.writes.set(`host ${hostId}`, { kind: 'host', record })
  assignOwner(state, changes, host)
  // It may have been granted its next step before the person moved it.
  changes.publishes.add(hostId)
  changes.again = true
}
