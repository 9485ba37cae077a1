import type { AuditFact } from '../../proto/audit-entry.ts'
import { fingerprintOf, isTokenId } from '../../proto/join-token.ts'
import { ControllerError } from '../errors.ts'
import type { EnrolmentRecord } from '../rollout/records.ts'
import type { JoinBook } from './join-book.ts'
import { judgeClaim, remarkOf, withDecision } from './judge.ts'
import type { Claim } from './judge.ts'
import { REQUEST_LIFE_MS, isWaiting } from './token-record.ts'
import type { RequestRecord, TokenRecord } from './token-record.ts'

export type JoinCall = Claim & { readonly certificateRequestPem: string }

export type JoinOutcome =
  | { readonly kind: 'Refused' }
  | { readonly kind: 'Full' }
  | { readonly kind: 'Denied'; readonly reason: string }
  | {
      readonly kind: 'Waiting'
      readonly expiresAtMs: number
      readonly message: string
      readonly waiting: number
    }
  | { readonly kind: 'Admitted'; readonly name: string; readonly issued: Issued }

/** What a host needs to begin. */
export type Issued = {
  readonly certificatePem: string
  readonly certificateAuthorityPem: string
  readonly trustBundles: Uint8Array[]
  readonly natsUserJwt: string
}

export type JoiningParts = {
  readonly book: JoinBook
  readonly inTurn: <Result>(decide: () => Promise<Result>) => Promise<Result>
  /** @throws ControllerError NotLeader. */
  readonly enrolments: () => readonly EnrolmentRecord[]
  /** @throws ControllerError Conflict. */
  readonly admit: (host: Pick<EnrolmentRecord, 'hostId' | 'name' | 'labels'>) => Promise<void>
  /** @throws ControllerError RequestInvalid. */
  readonly issue: (call: JoinCall) => Promise<Issued>
  readonly audit: {
    readonly append: (fact: AuditFact) => Promise<number>
    /** Of all callers together: whoever tries over and over must not push everything else out of the log. */
    readonly refused: (fact: AuditFact) => Promise<void>
  }
  readonly now: () => number
}

/** What hosts without a certificate get for their token: the same call until it is decided. */
export function openJoiningHosts(parts: JoiningParts): (call: JoinCall) => Promise<JoinOutcome> {
  return (call) =>
    parts.inTurn(async () => {
      const { book, enrolments, now } = parts
      const tokens = await book.tokens()
      const judged = judgeClaim(tokens, call, { enrolments: enrolments(), nowMs: now() })
      switch (judged.kind) {
        case 'Full':
          return judged
        case 'Refused':
          await parts.audit.refused({ ...factOf(call), outcome: 'Refused', message: judged.why })
          return { kind: 'Refused' }
        case 'Asked': {
          // What cannot be used later must not use up a token now.
          await parts.issue(call)
          return take(parts, call, judged)
        }
        case 'AskedBefore':
          return settle(parts, call, judged)
      }
    })
}

type Asked = { readonly token: TokenRecord; readonly request: RequestRecord }

/** The token is used before anything is answered, and both are kept before the host is let in. */
async function take(
  parts: JoiningParts,
  call: JoinCall,
  { changed, request }: { readonly changed: TokenRecord; readonly request: RequestRecord },
): Promise<JoinOutcome> {
  const fact = factOf(call)
  const of = await parts.audit.append({ ...fact, outcome: 'Asked' })
  await parts.book.keep(changed)
  const outcome = await settle(parts, call, { token: changed, request })
  const told =
    outcome.kind === 'Admitted'
      ? 'let in by the token'
      : `${fingerprintOf(call.hostId)} waits for a person ${request.remark}`.trim()
  await parts.audit.append({ ...fact, outcome: 'Done', of, message: told })
  return outcome
}

function factOf({ hostId, tokenId, name, from }: JoinCall): Pick<AuditFact, 'actor' | 'event' | 'subject'> {
  // What is no id may be a secret that was put in the wrong place.
  const token = isTokenId(tokenId) ? tokenId : 'none'
  return { actor: `host/${hostId}`, event: 'Enrol', subject: `token=${token} name=${name} from=${from}` }
}

async function settle(parts: JoiningParts, call: JoinCall, { token, request }: Asked): Promise<JoinOutcome> {
  if (request.decision === null) {
    const isIn = request.isAuto && (await letIn(parts, { token, request }))
    if (!isIn) return waitingFor(parts, request)
    return { kind: 'Admitted', name: request.name, issued: await parts.issue(call) }
  }
  if (request.decision.kind === 'Denied') return { kind: 'Denied', reason: request.decision.reason }
  const enrolment = parts.enrolments().find(({ hostId }) => hostId === request.hostId)
  if (enrolment === undefined) return { kind: 'Refused' }
  if (enrolment.revoked !== undefined) return { kind: 'Denied', reason: enrolment.revoked.reason }
  return { kind: 'Admitted', name: enrolment.name, issued: await parts.issue(call) }
}

/** False: key or name have become known meanwhile, so that it takes a person. */
async function letIn(parts: JoiningParts, { token, request }: Asked): Promise<boolean> {
  const { hostId, name } = request
  const enrolments = parts.enrolments()
  const isIn = isLetInBy(request, enrolments)
  if (!isIn && remarkOf(request, enrolments) !== '') return false
  try {
    if (!isIn) await parts.admit({ hostId, name, labels: token.labels })
  } catch (error) {
    if (error instanceof ControllerError && error.code === 'Conflict') return false
    throw error
  }
  const decision = { kind: 'Approved', atMs: parts.now(), actor: 'token', reason: '' } as const
  await parts.book.keep(withDecision(token, hostId, { decision, name }))
  return true
}

/** The controller was killed after it had let the host in, and before it had kept that it did. */
function isLetInBy(
  { hostId, name, requestedAtMs }: RequestRecord,
  enrolments: readonly EnrolmentRecord[],
): boolean {
  const record = enrolments.find((one) => one.hostId === hostId)
  if (record === undefined || record.revoked !== undefined) return false
  return record.name === name && record.enrolledAtMs >= requestedAtMs
}

async function waitingFor({ book, now }: JoiningParts, request: RequestRecord): Promise<JoinOutcome> {
  const nowMs = now()
  const waiting = (await book.tokens()).reduce(
    (sum, { requests }) => sum + requests.filter((one) => isWaiting(one, nowMs)).length,
    0,
  )
  const expiresAtMs = request.requestedAtMs + REQUEST_LIFE_MS
  return { kind: 'Waiting', expiresAtMs, message: request.remark, waiting }
}
