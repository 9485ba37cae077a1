import { closeClient, openClient } from './client.ts'
import type { OperatorClient } from './client.ts'
import { locateContext, readContext } from './context.ts'
import type { Context } from './context.ts'
import type { ExitStatus } from './exit-status.ts'
import type { Terminal } from './terminal.ts'

/** What every command gets: the world, and where `--context` points. */
export type Session = { readonly terminal: Terminal; readonly contextFlag: string | undefined }

export async function loadContext({ terminal, contextFlag }: Session): Promise<Context> {
  return readContext(await locateContext(contextFlag, terminal))
}

export async function withClient(
  session: Session,
  use: (client: OperatorClient) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const client = await openClient(await loadContext(session))
  try {
    return await use({ ...client, note: session.terminal.note })
  } finally {
    closeClient(client)
  }
}
