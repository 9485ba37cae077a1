import { create } from '@bufbuild/protobuf'
import {
  FleetStatusSchema,
  GetStatusRequestSchema,
  StatusSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, watchStatus } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { openBlocks } from '../render/blocks.ts'
import { renderFleet, renderStatus } from '../render/status.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { loadContext, withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { columnsOf } from '../terminal.ts'
import type { Tty } from '../terminal.ts'
import { waitForRevision } from './status-wait.ts'

export type StatusOptions = {
  watch?: true
  plain?: true
  wait?: true
  revision: string
  timeout: number
  output: 'table' | 'json' | 'yaml'
  headers: boolean
}

export async function runStatus(
  session: Session,
  fleet: string | null,
  options: StatusOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  const view = { fleet, options, colour: terminal.colour, columns: () => columnsOf(terminal) }
  if (options.wait === true) {
    const { status, exit } = await waitForRevision(session, await loadContext(session), {
      revision: options.revision,
      fleet,
      timeoutMs: options.timeout,
    })
    if (status !== null) session.terminal.out(render(status, view))
    return exit
  }
  return withClient(session, async (client) => {
    if (options.watch !== true) {
      const { status } = await call(client, client.service.getStatus, create(GetStatusRequestSchema))
      session.terminal.out(status === undefined ? '' : render(status, view))
      return exitStatus.done
    }
    const tty = dashboardTty(session, options)
    if (tty !== null) {
      const { runDashboard } = await import('../dashboard/dashboard.ts')
      // The whole terminal is its own.
      await runDashboard(session, { ...client, note: null }, { tty, fleet })
      return exitStatus.done
    }
    const blocks = openBlocks(session.terminal)
    for await (const seen of watchStatus(client, session.terminal.signal)) {
      if (seen.kind === 'status') blocks.show(render(seen.status, view))
      else blocks.warn(`${seen.why}; trying again`)
    }
    return exitStatus.done
  })
}

/** Null where a block per change is wanted, or nothing else is possible. */
function dashboardTty({ terminal }: Session, { plain, output, headers }: StatusOptions): Tty | null {
  const isForPeople = plain !== true && output === 'table' && headers
  return isForPeople && terminal.environment['TERM'] !== 'dumb' ? terminal.tty : null
}

function render(
  status: Status,
  view: {
    readonly fleet: string | null
    readonly options: StatusOptions
    readonly colour: boolean
    /** A terminal may be resized while it is watched. */
    readonly columns: () => number | null
  },
): string {
  const fleet = view.fleet === null ? null : status.fleets.find(({ name }) => name === view.fleet)
  if (fleet === undefined) {
    throw new CliError('NotFound', `no fleet ${view.fleet ?? ''}; "bootfleet get fleets" lists them`)
  }
  const data = (): unknown =>
    fleet === null ? toData(StatusSchema, status) : toData(FleetStatusSchema, fleet)
  switch (view.options.output) {
    case 'json':
      return renderJson(data())
    case 'yaml':
      return view.options.watch === true ? `---\n${renderYaml(data())}` : renderYaml(data())
    case 'table': {
      const { headers } = view.options
      const looks = { style: styleFor(view.colour), headers, columns: view.columns() }
      return fleet === null ? renderStatus(status, looks) : renderFleet(status, fleet, looks)
    }
  }
}
