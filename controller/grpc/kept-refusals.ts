import type { AuditFact } from '../../proto/audit-entry.ts'
import { openMessageRate } from './message-rate.ts'

/** Where what happened is kept; each fact is on disk when it resolves, with its number. */
export type AuditSink = { append(fact: AuditFact): Promise<number> }

/** Of one `who`: what is refused over and over must not push everything else out of the log. */
const REFUSALS = { burst: 20, perSecond: 0.1 }
const KNOWN_MAX = 1_024

/** Keeps refusals up to a rate; the next one that is kept counts those that were not. */
export function openKeptRefusals(sink: AuditSink): (who: string, fact: AuditFact) => Promise<void> {
  const rates = new Map<string, ReturnType<typeof openMessageRate>>()
  let omitted = 0
  return async (who, fact) => {
    const rate = rates.get(who) ?? openMessageRate(REFUSALS)
    if (rates.size < KNOWN_MAX) rates.set(who, rate)
    if (!rate.take(performance.now())) {
      omitted += 1
      return
    }
    const before = omitted
    omitted = 0
    await sink.append({ ...fact, omitted: before })
  }
}
