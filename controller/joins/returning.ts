import { fingerprintOf } from '../../proto/join-token.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import type { JoinCall, JoiningParts } from './joining-hosts.ts'
import { isOpen } from './token-record.ts'

export type ReturnCall = Pick<JoinCall, 'certificateRequestPem' | 'natsUserPublicKey' | 'hostId' | 'from'>
export type Reissued = { readonly certificatePem: string; readonly natsUserJwt: string }

type Parts = Pick<JoiningParts, 'book' | 'inTurn' | 'enrolments' | 'audit' | 'now'> & {
  /** @throws ControllerError RequestInvalid. */
  readonly issue: (call: ReturnCall) => Promise<Reissued>
}

/**
 * Another certificate for a host by its own key, while an operator lets hosts come back; else null. It is enrolled
 * and not revoked, stays who it is, and a request that somebody else sends again helps only who has its keys.
 */
export function openReturning(parts: Parts): (call: ReturnCall) => Promise<Reissued | null> {
  const { book, inTurn, enrolments, audit, issue, now } = parts
  return (call) =>
    inTurn(async () => {
      const open = (await book.tokens()).find((token) => token.returning === true && isOpen(token, now()))
      if (open === undefined) return null
      const { hostId, from } = call
      const known = enrolments().find((record) => record.hostId === hostId)
      const subject = `token=${open.id} name=${known?.name ?? 'none'} from=${from}`
      const fact = { actor: `host/${hostId}`, event: 'Enrol', subject } as const
      const why = whyNot(known)
      if (why !== null) {
        await audit.refused({ ...fact, outcome: 'Refused', message: why })
        return null
      }
      const issued = await issue(call)
      await audit.append({
        ...fact,
        outcome: 'Done',
        message: `${fingerprintOf(hostId)} came back by its own key`,
      })
      return issued
    })
}

function whyNot(known: EnrolmentRecord | undefined): string | null {
  if (known === undefined) return 'this key is enrolled nowhere, and nobody comes back by it'
  return known.revoked === undefined ? null : `it is revoked: ${known.revoked.reason}`
}
