import { once } from 'node:events'
import { create } from '@bufbuild/protobuf'
import { WhoAmIRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { loadContext, withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { openLoopback } from '../web/loopback.ts'
import { openUpstream } from '../web/upstream.ts'

export type WebOptions = { port: number; server?: string }

/** Until Ctrl-C. @throws CliError when the controller serves no page, or the port is taken. */
export async function runWeb(session: Session, { port, server }: WebOptions): Promise<ExitStatus> {
  const context = await loadContext(session)
  const { terminal } = session
  const at = server === undefined ? await servedBy(session, context.address) : splitAddress(server)
  const upstream = openUpstream(context, at)
  try {
    const loopback = await openLoopback(upstream, port)
    try {
      terminal.out(`${loopback.url}\n`)
      terminal.note(
        `The page of ${upstream.address}, for you alone: whoever has the address sees it. Ctrl-C ends it.\n`,
      )
      if (!terminal.signal.aborted) await once(terminal.signal, 'abort')
    } finally {
      await loopback.close()
    }
  } finally {
    upstream.close()
  }
  return exitStatus.done
}

type At = { readonly host: string; readonly port: number }

/** The controller says the port, and it is on the machine where operators reach it. */
async function servedBy(session: Session, address: string): Promise<At> {
  let port = 0
  await withClient(session, async (client) => {
    port = (await call(client, client.service.whoAmI, create(WhoAmIRequestSchema))).webPort
    return exitStatus.done
  })
  if (port > 0) return { ...splitAddress(address), port }
  throw new CliError(
    'NotFound',
    `the controller at ${address} serves no web page; write web: { listen: "0.0.0.0:8445" } into its configuration`,
  )
}

export function splitAddress(address: string): At {
  const [, bare = '', bracketed = '', port = ''] =
    /^(?:([^:[\]]+)|\[([0-9a-fA-F:.]+)\]):(\d{1,5})$/.exec(address) ?? []
  if (port === '') throw new CliError('BadUsage', `"${address}" is no HOST:PORT`)
  return { host: bare === '' ? bracketed : bare, port: Number(port) }
}
