import type { AuditFact } from '../../proto/audit-entry.ts'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { openKeptRefusals } from './kept-refusals.ts'
import type { AuditSink } from './kept-refusals.ts'
import type { MethodName } from './operator-rules.ts'
import { reasonFromWire } from './operator-requests.ts'

type Order = { readonly method: MethodName; readonly request: object; readonly actor: string }

export type OrderAudit = {
  readonly refused: (order: Order, message: string) => Promise<void>
  /** What `carryOut` resolves with, once it is kept that it was ordered and how it ended. */
  readonly kept: <Answer extends object>(
    order: Order & { readonly fleet: string | null },
    carryOut: () => Promise<Answer>,
  ) => Promise<Answer>
}

/** Of a request only these are kept: no field that could ever hold a secret. */
const SUBJECT_FIELDS = ['target', 'host', 'fleet', 'wave', 'digest', 'name', 'tokenId'] as const

export function openOrderAudit(sink: AuditSink): OrderAudit {
  const keepRefusal = openKeptRefusals(sink)

  async function keep(fact: AuditFact, otherwise: (() => number) | null): Promise<number> {
    const kept = sink.append(fact)
    return otherwise === null ? kept : kept.catch(otherwise)
  }

  return {
    refused: (order, message) =>
      keepRefusal(order.actor, { ...factOf(order, null), outcome: 'Refused', message }),
    async kept(order, carryOut) {
      const fact = factOf(order, order.fleet)
      // The red button must work with a full disk too.
      const otherwise = order.method === 'halt' ? (): number => 0 : null
      const of = await keep({ ...fact, outcome: 'Asked' }, otherwise)
      const ended = await carryOut().then(
        (answer) => ({ kind: 'Done', answer, message: messageOf(answer) }) as const,
        (error: unknown) => ({ kind: 'Failed', error, message: failureOf(error) }) as const,
      )
      const subject = [fact.subject, ...(ended.kind === 'Done' ? rolloutOf(ended.answer) : [])]
        .join(' ')
        .trim()
      const unkept = await keep(
        { ...fact, subject, outcome: ended.kind, of, message: ended.message },
        otherwise,
      )
        .then(() => null)
        .catch((error: unknown) => failureOf(error))
      // What is known of the order itself comes first: it is not undone by a disk that is full now.
      if (ended.kind === 'Failed') throw ended.error
      return unkept === null ? ended.answer : withRemark(ended.answer, unkept)
    },
  }
}

function factOf({ method, request, actor }: Order, fleet: string | null): Omit<AuditFact, 'outcome'> {
  const fields = request as Readonly<Record<string, unknown>>
  const subject = SUBJECT_FIELDS.flatMap((field) => {
    const value = fields[field]
    return typeof value === 'string' && value !== '' ? [`${field}=${value.slice(0, 256)}`] : []
  })
  const { reason } = fields
  return {
    actor: `operator/${actor}`,
    event: OperatorService.method[method].name,
    fleet: fleet ?? '',
    subject: subject.join(' '),
    reason: typeof reason === 'string' ? reasonFromWire(reason) : '',
  }
}

/** The one that was meant where only its fleet or a host was named, so that its history can be found. */
function rolloutOf(answer: object): readonly string[] {
  const { rollout } = answer as { readonly rollout?: { readonly id?: unknown } }
  return typeof rollout?.id === 'string' ? [`rollout=${rollout.id}`] : []
}

/** Only the question is in the log then, which is how an order looks that a power cut left without an answer. */
function withRemark<Answer extends object>(answer: Answer, unkept: string): Answer {
  if (!('message' in answer) || typeof answer.message !== 'string') return answer
  const remark = `it is done, but that it was could not be kept in the audit log: ${unkept}`
  return { ...answer, message: [answer.message, remark].filter((part) => part !== '').join('; ') }
}

function messageOf(answer: object): string {
  const { message, hostId } = answer as { readonly message?: unknown; readonly hostId?: unknown }
  if (typeof message === 'string') return message
  return typeof hostId === 'string' ? `host ${hostId}` : ''
}

/** Texts of errors that are none of ours may hold anything. */
function failureOf(error: unknown): string {
  const isOurs = error instanceof Error && ['ControllerError', 'ServiceError'].includes(error.name)
  return isOurs ? error.message : 'the controller failed unexpectedly; its log says why'
}
