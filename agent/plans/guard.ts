import { openPermit } from '../../proto/permit.ts'
import type { ApproverRole, Permit } from '../../proto/permit.ts'
import type { Plan } from '../../proto/plan.ts'
import type { DowngradePermit, Guard } from '../update/floor.ts'

/**
 * The permits of a plan that count for this host. One that does not is left out and told, and never a reason to
 * refuse the plan: a plan must always be able to deny, and to take back what was granted.
 */
export function guardOf(
  { permits = [], hostId, fleet }: Pick<Plan, 'fleet' | 'hostId' | 'permits'>,
  approver: ApproverRole | null,
): Guard | null {
  if (approver === null) return null
  const counted: DowngradePermit[] = []
  const refused: string[] = []
  for (const text of permits) {
    const opened = openPermit(text, approver)
    const detail = opened.kind === 'refused' ? opened.detail : misplaced(opened.permit, { fleet, hostId })
    if (detail !== null) refused.push(detail)
    if (opened.kind === 'opened' && detail === null) counted.push(toDowngradePermit(opened.permit))
  }
  return { permits: counted, refused }
}

function misplaced(permit: Permit, { fleet, hostId }: Pick<Plan, 'fleet' | 'hostId'>): string | null {
  if (permit.fleet !== fleet) return `the permit for ${permit.repository} is for fleet ${permit.fleet}`
  if (permit.hosts?.includes(hostId) === false)
    return `the permit for ${permit.repository} is for other hosts`
  return null
}

function toDowngradePermit({ repository, expiresAt, digest, lowestVersion = '' }: Permit): DowngradePermit {
  const image =
    digest === undefined
      ? ({ kind: 'LowestVersion', version: lowestVersion } as const)
      : ({ kind: 'Digest', digest } as const)
  return { repository, untilMs: Date.parse(expiresAt), image }
}
