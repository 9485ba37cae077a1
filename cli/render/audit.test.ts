import { expect, it } from 'vitest'
import type { AuditEntry } from '../../proto/audit-entry.ts'
import { withoutAsked } from '../../proto/picture/told-orders.ts'
import { eventRows, renderAudit } from './audit.ts'
import { plain } from './style.ts'

const entry: AuditEntry = {
  actor: 'operator/kim',
  at: '2026-11-21T14:00:00.000Z',
  chain: '00000000-0000-4000-8000-000000000001',
  event: 'PauseRollout',
  fleet: 'edge',
  heads: [],
  key: '0'.repeat(64),
  message: '',
  number: 1,
  of: 0,
  omitted: 0,
  outcome: 'Asked',
  previous: '0'.repeat(64),
  reason: 'smoke',
  signature: '',
  subject: 'target=edge',
  term: 1,
  version: 1,
}
const answer: AuditEntry = {
  ...entry,
  number: 2,
  of: 1,
  outcome: 'Done',
  message: 'rollout/edge.1 of fleet edge: paused',
  reason: '',
}

it('an order and its answer are one event, in the words of the command', () => {
  expect(eventRows(withoutAsked([entry, answer]), plain)).toEqual([
    [
      '2026-11-21 14:00:00',
      'kim',
      'pause',
      '✔ Done',
      'edge',
      'rollout/edge.1 of fleet edge: paused; "smoke"',
    ],
  ])
})

it('an order that was not answered says what was asked, and one that failed why', () => {
  const failed = { ...answer, outcome: 'Failed', message: 'it is paused' } as const
  const rows = eventRows(withoutAsked([{ ...entry, chain: answer.chain, number: 9 }, failed]), plain)
  expect(rows.map((row) => row.slice(3))).toEqual([
    ['· Asked', 'edge', 'target edge; "smoke"'],
    ['✖ Failed', 'edge', 'target edge; it is paused'],
  ])
})

it('what hosts or people wrote cannot move the cursor, and refusals that were not kept are counted', () => {
  const hostile = { ...answer, event: 'Madeup', message: 'a\u001b[2Jb', omitted: 3 } as const
  expect(eventRows([hostile], plain)[0]?.slice(2)).toEqual([
    'Madeup',
    '✔ Done',
    'edge',
    'a [2Jb; 3 further refusals were not kept',
  ])
})

it('an order about one host is named by its command', () => {
  const words = ['ResumeHost', 'RevokeHost'].map((event) => eventRows([{ ...answer, event }], plain)[0]?.[2])
  expect(words).toEqual(['resume host', 'revoke host'])
})

it('the log fits a narrow terminal, with each sentence below its entry', () => {
  expect(renderAudit([entry, answer], { columns: 60, style: plain })).toBe(`\
ENTRY  AT (UTC)             WHO  WHAT          OUTCOME
1      2026-11-21 14:00:00  kim  PauseRollout  · Asked
    target=edge; "smoke"
2      2026-11-21 14:00:00  kim  PauseRollout  ✔ Done
    answers 1; rollout/edge.1 of fleet edge: paused
`)
})
