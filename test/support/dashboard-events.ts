import type { AuditEntry } from '../../proto/audit-entry.ts'

/** Of the rollout that `support/dashboard.ts` shows. */
export const events = [
  ['operator/kim', 'ApproveRollout', 'Asked', 'rollout/edge-7', 'looks good'],
  ['operator/kim', 'ApproveRollout', 'Done', 'rollout/edge-7', ''],
  ['controller', 'LeadershipTaken', 'Noted', '', ''],
].map(([actor = '', event = '', outcome = '', subject = '', reason = ''], index) => ({
  actor,
  at: `2026-09-21T14:1${index}:00.000Z`,
  event,
  outcome,
  subject,
  reason,
  fleet: subject === '' ? '' : 'edge',
  message: '',
  chain: 'one',
  number: index + 1,
  of: outcome === 'Done' ? index : 0,
})) as unknown as readonly AuditEntry[]
