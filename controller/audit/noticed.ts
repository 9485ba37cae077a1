import type { Logger } from 'pino'
import type { AuditFact } from '../../proto/audit-entry.ts'
import type { LeaseRegister } from '../store/leadership.ts'
import type { AuditLog } from './audit-log.ts'

/** The log as the rest of the controller writes to it: with the term it is in. */
export type Noticed = Pick<AuditLog, 'append' | 'lines' | 'listen' | 'recent'> & {
  /** Something that nobody ordered; it does not keep what goes on waiting, and a failure is in the program's log. */
  readonly note: (event: string, message: string) => void
  /** The same register; a lease that is gone although there have been terms shows that the store was wiped. */
  readonly leaseOf: (register: LeaseRegister, termSeen: () => number) => LeaseRegister
}

export function openNoticed(log: AuditLog, logger: Logger, term: () => number): Noticed {
  const append = (fact: AuditFact): Promise<number> => log.append({ term: term(), ...fact })
  const note: Noticed['note'] = (event, message) => {
    append({ actor: 'controller', event, outcome: 'Noted', message }).catch((error: unknown) => {
      logger.error({ error: String(error), event }, 'not kept in the audit log')
    })
  }
  return {
    append,
    note,
    lines: () => log.lines(),
    listen: log.listen,
    recent: log.recent,
    leaseOf(register, termSeen) {
      let isGone = false
      return {
        ...register,
        async read(signal) {
          const seen = await register.read(signal)
          if (seen === null && !isGone && termSeen() > 0) {
            note('StoreWiped', `the store has no lease, and term ${termSeen()} was seen: it was wiped`)
          }
          isGone = seen === null
          return seen
        },
      }
    },
  }
}
