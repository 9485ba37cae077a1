import { create } from '@bufbuild/protobuf'
import {
  TraceRequestSchema,
  TraceResponseSchema,
  WhyRequestSchema,
  WhyResponseSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderTrace, renderWhy } from '../render/explain.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import type { Style } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { parseTarget } from '../target.ts'
import { columnsOf } from '../terminal.ts'

type Options = { readonly output: 'table' | 'json' | 'yaml' }

export async function runWhy(
  session: Session,
  words: readonly string[],
  { output }: Options,
): Promise<ExitStatus> {
  const { name } = parseTarget('why', words, ['host'])
  return withClient(session, async (client) => {
    const why = await call(client, client.service.why, create(WhyRequestSchema, { host: name }))
    const text = (): string => renderWhy(why, { nowMs: BigInt(Date.now()), ...looksOf(session) })
    session.terminal.out(render(output, text, toData(WhyResponseSchema, why)))
    return exitStatus.done
  })
}

export async function runTrace(
  session: Session,
  words: readonly string[],
  { output }: Options,
): Promise<ExitStatus> {
  const { type, name } = parseTarget('trace', words, ['host', 'fleet'])
  if (type === null) {
    throw new CliError(
      'BadUsage',
      `trace takes host/${name} or fleet/${name}: say which of them "${name}" is`,
    )
  }
  return withClient(session, async (client) => {
    const request = create(TraceRequestSchema, type === 'host' ? { host: name } : { fleet: name })
    const trace = await call(client, client.service.trace, request)
    const text = (): string => renderTrace(trace, looksOf(session))
    session.terminal.out(render(output, text, toData(TraceResponseSchema, trace)))
    return exitStatus.done
  })
}

function looksOf({ terminal }: Session): { readonly style: Style; readonly columns: number | null } {
  return { style: styleFor(terminal.colour), columns: columnsOf(terminal) }
}

function render(output: Options['output'], text: () => string, data: unknown): string {
  const rendered = { table: text, json: () => renderJson(data), yaml: () => renderYaml(data) }
  return rendered[output]()
}
