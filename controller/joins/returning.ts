import { fingerprintOf } from '../../proto/join-token.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import type { JoinCall, JoiningParts } from './joining-hosts.ts'
import { isOpen } from './token-record.ts'

export type ReturnCall = Pick<JoinCall, 'certificateRequestPem' | 'natsUserPublicKey' | 'hostId' | 'from'>
export type Reissued = { readonly certificatePem: string; readonly natsUserJwt: string }

type Parts = Pick<JoiningParts, 'book' | 'inTurn' | 'audit' | 'now'> & {
  /** @throws ControllerError NotLeader. */
  readonly enrolmentOf: (hostId: string) => EnrolmentRecord | null
  /** @throws ControllerError RequestInvalid. */
  readonly issue: (call: ReturnCall) => Promise<Reissued>
}

/** One who repeats a request gets what its host was given, so that nobody uses up the turn of the host. */
const SAME_ANSWER_MS = 60_000

/**
 * Another certificate for a host by its own key, while an operator lets hosts come back; else null. It is enrolled
 * and not revoked, stays who it is, and a request that somebody else sends again helps only who has its keys. Nor
 * does it fill the audit log or keep others waiting: one issue a minute, one entry per host and order.
 */
export function openReturning(parts: Parts): (call: ReturnCall) => Promise<Reissued | null> {
  const { book, inTurn, enrolmentOf, audit, issue, now } = parts
  const given = openGiven()
  const told = openTold()
  return (call) =>
    inTurn(async () => {
      const open = (await book.tokens()).find((token) => token.returning === true && isOpen(token, now()))
      if (open === undefined) return null
      const { hostId, from } = call
      const known = enrolmentOf(hostId)
      const subject = `token=${open.id} name=${known?.name ?? 'none'} from=${from}`
      const fact = { actor: `host/${hostId}`, event: 'Enrol', subject } as const
      const why = whyNot(known)
      if (why !== null) {
        await audit.refused({ ...fact, outcome: 'Refused', message: why })
        return null
      }
      const before = given.lately(call, now())
      if (before !== null) return before
      const issued = await issue(call)
      if (!told.has(open.id, hostId)) {
        const message = `${fingerprintOf(hostId)} came back by its own key`
        await audit.append({ ...fact, outcome: 'Done', message })
        told.add(open.id, hostId)
      }
      given.keep(call, issued, now())
      return issued
    })
}

function whyNot(known: EnrolmentRecord | null): string | null {
  if (known === null) return 'this key is enrolled nowhere, and nobody comes back by it'
  return known.revoked === undefined ? null : `it is revoked: ${known.revoked.reason}`
}

type Who = Pick<ReturnCall, 'hostId' | 'natsUserPublicKey'>

/** What was issued in the last minute, oldest first. */
function openGiven(): {
  readonly lately: (who: Who, nowMs: number) => Reissued | null
  readonly keep: (who: Who, issued: Reissued, nowMs: number) => void
} {
  const all = new Map<string, { readonly issued: Reissued; readonly atMs: number }>()
  const keyOf = ({ hostId, natsUserPublicKey }: Who): string => `${hostId} ${natsUserPublicKey}`
  const isLate = (atMs: number, nowMs: number): boolean => Math.abs(nowMs - atMs) >= SAME_ANSWER_MS
  return {
    lately(who, nowMs) {
      const one = all.get(keyOf(who))
      return one === undefined || isLate(one.atMs, nowMs) ? null : one.issued
    },
    keep(who, issued, nowMs) {
      all.delete(keyOf(who))
      all.set(keyOf(who), { issued, atMs: nowMs })
      for (const [key, { atMs }] of all) {
        if (!isLate(atMs, nowMs)) break
        all.delete(key)
      }
    },
  }
}

/** Hosts of the newest order whose coming back is in the audit log. */
function openTold(): {
  readonly has: (tokenId: string, hostId: string) => boolean
  readonly add: (tokenId: string, hostId: string) => void
} {
  const hosts = new Set<string>()
  let of = ''
  return {
    has: (tokenId, hostId) => of === tokenId && hosts.has(hostId),
    add(tokenId, hostId) {
      if (of !== tokenId) hosts.clear()
      of = tokenId
      hosts.add(hostId)
    },
  }
}
