import type { AuditEntry } from '../../proto/audit-entry.ts'
import { renderRows } from './fit.ts'
import type { Style } from './style.ts'
import { stateWord } from './words.ts'

const eventsHeader = ['AT (UTC)', 'WHO', 'WHAT', 'OUTCOME', 'FLEET', 'MESSAGE'] as const

/** The command by which a person orders it, or what the controller noticed, in a word. */
const wordOf: Readonly<Record<string, string>> = {
  AbortRollout: 'abort',
  AllowDigest: 'allow',
  ApproveJoin: 'approve request',
  ApproveRollout: 'approve',
  AuditBroken: 'audit log changed',
  CreateToken: 'enrol token create',
  DenyDigest: 'deny',
  DenyJoin: 'deny request',
  Enrol: 'ask to be enrolled',
  EnrolHost: 'enrol host',
  ExportAudit: 'audit export',
  Halt: 'halt',
  IssueOperator: 'operator issue',
  Leading: 'leads',
  LeadingEnded: 'leads no more',
  Login: 'login',
  PauseRollout: 'pause',
  PromoteRollout: 'promote',
  ResumeHost: 'resume host',
  ResumeRollout: 'resume',
  RetryRollout: 'retry',
  RevokeHost: 'revoke host',
  RevokeToken: 'enrol token revoke',
  Roles: 'roles changed',
  RollBackRollout: 'rollback',
  StoreWiped: 'store wiped',
  TrustBundle: 'trust bundle',
  Unhalt: 'resume',
}

type Rows = readonly (readonly string[])[]

const MESSAGE_SHOWN_MAX = 120

/** Oldest first, as a log is read. */
export function renderAudit(
  entries: readonly AuditEntry[],
  { columns, style }: { readonly columns: number | null; readonly style: Style },
): string {
  return renderRows(auditTable(entries, style), { columns, optional: ['FLEET', 'OUTCOME'] }).join('')
}

function auditTable(entries: readonly AuditEntry[], style: Style): Rows {
  const rows = entries.map((entry) => [
    `${entry.number}`,
    entry.at.replace('T', ' ').slice(0, 19),
    entry.actor.replace(/^operator\//, ''),
    entry.event,
    stateWord(entry.outcome, style),
    entry.fleet === '' ? '-' : entry.fleet,
    sentence(entry),
  ])
  return [['ENTRY', 'AT (UTC)', 'WHO', 'WHAT', 'OUTCOME', 'FLEET', 'MESSAGE'], ...rows]
}

/** Without the header. */
export function eventRows(entries: readonly AuditEntry[], style: Style): Rows {
  return entries.map((entry) => [
    entry.at.replace('T', ' ').slice(0, 19),
    entry.actor.replace(/^operator\//, ''),
    wordOf[entry.event] ?? entry.event,
    stateWord(entry.outcome, style),
    entry.fleet === '' ? '-' : entry.fleet,
    eventSentence(entry),
  ])
}

/** Of rows of `eventRows`: the header, and then one text each. `columns` null: as wide as it gets. */
export function renderEvents(rows: Rows, columns: number | null): readonly string[] {
  return renderRows([eventsHeader, ...rows], { columns, optional: ['FLEET', 'OUTCOME'] })
}

/** What was answered tells the most; what was asked says the rest where there is no answer, or it names nothing. */
function eventSentence({ message, omitted, outcome, reason, subject }: AuditEntry): string {
  const asked = subject.replaceAll('=', ' ')
  const isTold = outcome === 'Done' && message !== ''
  return [
    isTold ? '' : asked,
    message,
    reason === '' ? '' : `"${reason}"`,
    omitted === 0 ? '' : `${omitted} further refusals were not kept`,
  ]
    .filter((part) => part !== '')
    .join('; ')
    .replaceAll(/\p{Cc}/gu, ' ')
}

function sentence({ subject, reason, message, omitted, of }: AuditEntry): string {
  const parts = [
    of === 0 ? subject : `answers ${of}`,
    message,
    reason === '' ? '' : `"${reason}"`,
    omitted === 0 ? '' : `${omitted} further refusals were not kept`,
  ]
  const text = parts.filter((part) => part !== '').join('; ')
  return text.length > MESSAGE_SHOWN_MAX ? `${text.slice(0, MESSAGE_SHOWN_MAX - 1)}…` : text
}
