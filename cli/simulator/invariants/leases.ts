import { isEnded } from '../../../controller/rollout/phases.ts'
import type { GrantRecord, RolloutRecord } from '../../../controller/rollout/records.ts'
import type { Write } from '../../../controller/rollout/decision.ts'
import { grantKey } from '../store.ts'
import type { Store } from '../store.ts'

/** A permission that a decision gives and that was not there before. */
export type Lease = {
  readonly action: 'Stage' | 'Activate'
  readonly grant: GrantRecord
  readonly before: GrantRecord | null
  readonly rollout: RolloutRecord
}

export function newLeases(store: Store, writes: readonly Write[]): readonly Lease[] {
  const leases: Lease[] = []
  for (const write of writes) {
    if (write.kind !== 'grant' || isEnded(write.record.phase)) continue
    const grant = write.record
    const before = store.grants.get(grantKey(grant)) ?? null
    const rollout = store.rollouts.get(grant.rolloutId)
    if (rollout === undefined) continue
    const isAgain = before?.attempt === grant.attempt
    if (grant.activateUntilMs !== null && !(isAgain && before.activateUntilMs === grant.activateUntilMs)) {
      leases.push({ action: 'Activate', grant, before, rollout })
    } else if (grant.stageUntilMs !== null && !(isAgain && before.stageUntilMs === grant.stageUntilMs)) {
      leases.push({ action: 'Stage', grant, before, rollout })
    }
  }
  return leases
}

/** What this attempt is to boot. */
export function wantedBy({ grant, rollout }: Pick<Lease, 'grant' | 'rollout'>): string {
  if (grant.image !== null) return grant.image.digest
  return grant.direction === 'Back' ? (rollout.from?.image.digest ?? '') : rollout.image.digest
}
