import type { AuditEntry } from '../../proto/audit-entry.ts'
import { withoutAsked } from '../../proto/picture/told-orders.ts'
import { clockWord, lookOf } from '../../proto/picture/words.ts'
import { listSection } from './layout.ts'
import type { Section } from './layout.ts'
import { span } from './line.ts'
import type { Span } from './line.ts'
import type { Model } from './model.ts'

/** The end of the audit log, newest first. */
export function eventsSection({ slots, size }: Model): Section {
  const { value, failure, answeredAtMs } = slots.events
  const entries = withoutAsked(value ?? []).toReversed()
  const list = {
    title: 'last events',
    note: answeredAtMs === 0 ? '' : `as of ${clockWord(answeredAtMs)}`,
    columns: [],
    count: entries.length,
    row: (index: number) => eventCells(entries[index]),
    selected: null,
    width: size.width,
    empty: failure !== '' ? `not known: ${failure}` : value === null ? 'asking' : 'none',
  }
  return listSection(list, 3)
}

function eventCells(entry: AuditEntry | undefined): readonly Span[] {
  if (entry === undefined) return []
  const { at, actor, event, outcome, fleet, subject, message, reason } = entry
  const look = lookOf(outcome)
  const told = [fleet, subject === fleet ? '' : subject, message, reason === '' ? '' : `"${reason}"`]
  return [
    span(`${at.slice(11, 19)}Z`, 'quiet'),
    span(actor.replace(/^operator\//, '')),
    span(event),
    span(look.text, look.tone),
    span(told.filter((part) => part !== '').join(' · ')),
  ]
}
