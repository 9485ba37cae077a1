import type {
  EnrolmentRecord,
  EveryFleetRecord,
  FleetRecord,
  GrantRecord,
  HostRecord,
  Records,
  RolloutRecord,
} from '../../controller/rollout/records.ts'
import type { Write } from '../../controller/rollout/decision.ts'

/** What is durable. */
export type Store = {
  readonly fleets: Map<string, FleetRecord>
  readonly rollouts: Map<string, RolloutRecord>
  /** Key: see grantKey. */
  readonly grants: Map<string, GrantRecord>
  readonly hosts: Map<string, HostRecord>
  readonly enrolments: Map<string, EnrolmentRecord>
  everyFleet: EveryFleetRecord | null
}

export function emptyStore(): Store {
  return {
    fleets: new Map(),
    rollouts: new Map(),
    grants: new Map(),
    hosts: new Map(),
    enrolments: new Map(),
    everyFleet: null,
  }
}

export function grantKey({
  hostId,
  rolloutId,
}: {
  readonly hostId: string
  readonly rolloutId: string
}): string {
  return `${rolloutId} ${hostId}`
}

export function recordsOf(store: Store): Records {
  return {
    fleets: [...store.fleets.values()],
    rollouts: [...store.rollouts.values()],
    grants: [...store.grants.values()],
    hosts: [...store.hosts.values()],
    enrolments: [...store.enrolments.values()],
    everyFleet: store.everyFleet,
  }
}

/** A crash may come between any two deletions of one write. */
export function stepsOf(write: Write): readonly Write[] {
  if (write.kind !== 'forgetRollout') return [write]
  const { hostIds, rolloutId, withHeader } = write.record
  const grants = hostIds.map((id): Write => {
    return { kind: 'forgetRollout', record: { rolloutId, hostIds: [id], withHeader: false } }
  })
  if (!withHeader) return grants
  return [...grants, { kind: 'forgetRollout', record: { rolloutId, hostIds: [], withHeader } }]
}

export function persist(store: Store, write: Write): void {
  switch (write.kind) {
    case 'everyFleet':
      store.everyFleet = write.record
      return
    case 'fleet':
      store.fleets.set(write.record.fleet, write.record)
      return
    case 'rollout':
      store.rollouts.set(write.record.id, write.record)
      return
    case 'grant':
      store.grants.set(grantKey(write.record), write.record)
      return
    case 'host':
      store.hosts.set(write.record.hostId, write.record)
      return
    case 'forgetRollout': {
      const { hostIds, rolloutId, withHeader } = write.record
      for (const hostId of hostIds) store.grants.delete(grantKey({ hostId, rolloutId }))
      if (withHeader) store.rollouts.delete(rolloutId)
    }
  }
}
