import { create } from '@bufbuild/protobuf'
import { parseAuditEntry } from '../../proto/audit-entry.ts'
import {
  GetStatusRequestSchema,
  ListAuditRequestSchema,
  ListHostsRequestSchema,
  WhyRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { runRolloutVerb } from '../commands/verbs.ts'
import { CliError } from '../errors.ts'
import type { Session } from '../session.ts'
import type { Answer, Ask, Notice, Order } from './model.ts'

const EVENTS_MAX = 40

/** @throws CliError */
export async function fetchAnswer(client: OperatorClient, { kind, of }: Ask): Promise<Answer> {
  const { service } = client
  switch (kind) {
    case 'status': {
      const { status } = await call(client, service.getStatus, create(GetStatusRequestSchema))
      if (status === undefined) throw new CliError('ControllerRefused', 'the controller answered no status')
      return { kind, value: status }
    }
    case 'events': {
      const request = create(ListAuditRequestSchema, { limit: EVENTS_MAX, fleet: of })
      const { lines } = await call(client, service.listAudit, request)
      return { kind, value: lines.flatMap((line) => parseAuditEntry(line) ?? []) }
    }
    case 'hosts': {
      const { hosts } = await call(client, service.listHosts, create(ListHostsRequestSchema, { fleet: of }))
      return { kind, value: hosts }
    }
    case 'why':
      return { kind, value: await call(client, service.why, create(WhyRequestSchema, { host: of })) }
  }
}

/** By the command of that name, so that both mean and check the same; what it prints is what is shown. */
export async function giveOrder(session: Session, order: Order, reason: string): Promise<Notice> {
  let said = ''
  const terminal = { ...session.terminal, out: (text: string) => void (said += text) }
  const { verb, rollout, wave } = order
  const options = { reason, output: 'table', ...(wave === '' ? {} : { wave }) } as const
  try {
    await runRolloutVerb({ ...session, terminal }, verb, { words: [`rollout/${rollout}`], options })
    return { tone: 'good', text: said.trim() }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { tone: 'bad', text: `${verb} ${order.fleet}: ${why}` }
  }
}
