import { create } from '@bufbuild/protobuf'
import type { AuditEntry } from '../../proto/audit-entry.ts'
import { WatchAuditRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { AuditPlace } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { watched } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { eventRows, renderEvents } from '../render/audit.ts'
import { renderJson, renderYaml } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { parseTarget } from '../target.ts'
import { columnsOf } from '../terminal.ts'
import type { Terminal } from '../terminal.ts'
import { entriesFor, eventsOf, lastEvents } from './last-events.ts'

export type EventsOptions = {
  readonly for?: string
  readonly follow?: true
  readonly limit: number
  readonly output: 'table' | 'json' | 'yaml'
  readonly headers: boolean
}

const OBJECT_TYPES = ['host', 'fleet', 'rollout', 'request', 'operator'] as const
/** Rows whose widths later ones keep to. */
const ALIGNED_MAX = 50

export function runEvents(session: Session, options: EventsOptions): Promise<ExitStatus> {
  const { terminal } = session
  const about = aboutOf(options.for)
  return withClient(session, async (client) => {
    const show = openShown(terminal, options)
    if (options.follow === true) {
      await follow(client, { about, count: options.limit, terminal }, show)
      return exitStatus.done
    }
    const entries = await lastEvents(client, about, options.limit)
    if (options.output === 'json') terminal.out(renderJson(entries))
    else if (options.output === 'yaml') terminal.out(renderYaml(entries))
    else show(entries)
    if (entries.length === 0)
      terminal.note(`no events${about === '' ? '' : ` about ${about}`} that you may see\n`)
    return exitStatus.done
  })
}

function aboutOf(text: string | undefined): string {
  if (text === undefined) return ''
  const { name, type } = parseTarget('events --for', [text], OBJECT_TYPES)
  if (type === null) {
    const forms = OBJECT_TYPES.map((each) => `${each}/${name}`).join(', ')
    throw new CliError('BadUsage', `events --for takes one of ${forms}: say which of them "${name}" is`)
  }
  return `${type}/${name}`
}

/** Also over a restart of the controller: the next connection goes on after what was shown. */
async function follow(
  client: OperatorClient,
  { about, count, terminal }: { readonly about: string; readonly count: number; readonly terminal: Terminal },
  show: (events: readonly AuditEntry[]) => void,
): Promise<void> {
  let place: AuditPlace | undefined
  const open = (options: object) => {
    const after = place === undefined ? {} : { after: place }
    return client.service.watchAudit(
      create(WatchAuditRequestSchema, { about, limit: entriesFor(count), ...after }),
      options,
    )
  }
  for await (const seen of watched(client, open, terminal.signal)) {
    if (seen.kind === 'lost') {
      terminal.note(`${seen.why}; trying again\n`)
      continue
    }
    const { lines, missed } = seen.message
    if (missed > 0n) {
      terminal.note(
        `! ${missed} entries came meanwhile and are not at hand any more; see "bootfleet audit export"\n`,
      )
    }
    show(place === undefined ? eventsOf(lines).slice(-count) : eventsOf(lines))
    place = seen.message.place ?? place
  }
}

/** What prints events as they come, each once. */
function openShown(
  terminal: Terminal,
  { headers, output }: EventsOptions,
): (events: readonly AuditEntry[]) => void {
  const style = styleFor(terminal.colour)
  let shown: readonly (readonly string[])[] = []
  let isBegun = false
  return (events) => {
    switch (output) {
      case 'json':
        for (const event of events) terminal.out(`${JSON.stringify(event)}\n`)
        return
      case 'yaml':
        for (const event of events) terminal.out(`---\n${renderYaml(event)}`)
        return
      case 'table': {
        const rows = eventRows(events, style)
        const columns = columnsOf(terminal)
        const [header = '', ...lines] = renderEvents([...shown, ...rows], columns)
        if (events.length === 0) return
        if (headers && !isBegun) terminal.out(header)
        terminal.out(lines.slice(shown.length).join(''))
        isBegun = true
        shown = [...shown, ...rows].slice(-ALIGNED_MAX)
      }
    }
  }
}
