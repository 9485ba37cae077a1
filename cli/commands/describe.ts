import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import {
  FleetStatusSchema,
  GetStatusRequestSchema,
  HostStatusSchema,
  ListHostsRequestSchema,
  ListRolloutsRequestSchema,
  RolloutStatusSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { eventRows, renderEvents } from '../render/audit.ts'
import { describeFleet, describeHost, describeRollout } from '../render/describe.ts'
import type { EtcShown } from '../render/etc.ts'
import type { StatusView } from '../render/status.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { columnsOf } from '../terminal.ts'
import type { Terminal } from '../terminal.ts'
import { lastEvents } from './last-events.ts'

/** `about`: as events --for takes it. */
type Described = { readonly text: string; readonly data: unknown; readonly about: string }

const EVENTS_SHOWN = 10

export function runDescribe(
  session: Session,
  words: readonly string[],
  options: { output: 'table' | 'json' | 'yaml'; etc?: true },
): Promise<ExitStatus> {
  const { type, name } = parseObject(words)
  const etc = options.etc === true ? 'listed' : 'counted'
  if (etc === 'listed' && !type.startsWith('host')) throw etcOfHosts(words)
  return withClient(session, async (client) => {
    const { terminal } = session
    const looks = { style: styleFor(terminal.colour), columns: columnsOf(terminal), headers: true }
    const { about, data, text } = await describe(client, { type, name, looks, etc })
    switch (options.output) {
      case 'json':
        terminal.out(renderJson(data))
        break
      case 'yaml':
        terminal.out(renderYaml(data))
        break
      case 'table':
        terminal.out(`${text}\n${await eventsAbout(client, about, terminal)}`)
    }
    return exitStatus.done
  })
}

async function eventsAbout(client: OperatorClient, about: string, terminal: Terminal): Promise<string> {
  const entries = await lastEvents(client, about, EVENTS_SHOWN)
  if (entries.length === 0) return 'Events: none that you may see\n'
  const columns = columnsOf(terminal)
  const lines = renderEvents(eventRows(entries, styleFor(terminal.colour)), columns)
  return `Events, the newest last; for more: bootfleet events --for ${about}\n${lines.join('')}`
}

/** `host/till-17` and `host till-17` are the same. */
export function parseObject(words: readonly string[]): { type: string; name: string } {
  const [type, name, ...rest] = words.length === 1 ? (words[0] ?? '').split('/') : words
  if (type === undefined || name === undefined || name === '' || rest.length > 0) {
    throw new CliError(
      'BadUsage',
      `describe takes TYPE/NAME or TYPE NAME (host, fleet or rollout), not "${words.join(' ')}"`,
    )
  }
  return { type, name }
}

type Wanted = {
  readonly type: string
  readonly name: string
  readonly looks: StatusView
  readonly etc: EtcShown
}

function etcOfHosts(words: readonly string[]): CliError {
  return new CliError('BadUsage', `describe --etc is of a host, and "${words.join(' ')}" is none`)
}

async function describe(client: OperatorClient, { type, name, looks, etc }: Wanted): Promise<Described> {
  const { service } = client
  switch (type) {
    case 'host':
    case 'hosts': {
      const { hosts } = await call(client, service.listHosts, create(ListHostsRequestSchema, { host: name }))
      const host = found(
        hosts.find((each) => each.name === name || each.hostId === name),
        'host',
        name,
      )
      return {
        about: `host/${host.name}`,
        ...described(HostStatusSchema, host, describeHost(host, { ...looks, etc })),
      }
    }
    case 'fleet':
    case 'fleets': {
      const { status } = await call(client, service.getStatus, create(GetStatusRequestSchema))
      const fleet = found(
        status?.fleets.find((each) => each.name === name),
        'fleet',
        name,
      )
      const text = status === undefined ? '' : describeFleet(status, fleet, looks)
      return { about: `fleet/${name}`, ...described(FleetStatusSchema, fleet, text) }
    }
    case 'rollout':
    case 'rollouts': {
      const { rollouts } = await call(client, service.listRollouts, create(ListRolloutsRequestSchema))
      const rollout = found(
        rollouts.find(({ id }) => id === name),
        'rollout',
        name,
      )
      const text = describeRollout(rollout, Date.now(), looks)
      return { about: `rollout/${name}`, ...described(RolloutStatusSchema, rollout, text) }
    }
  }
  throw new CliError('BadUsage', `describe knows host, fleet and rollout, not "${type}"`)
}

function described<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
  text: string,
): Omit<Described, 'about'> {
  return { text, data: toData(schema, message) }
}

function found<Thing>(thing: Thing | undefined, type: string, name: string): Thing {
  if (thing === undefined)
    throw new CliError('NotFound', `no ${type} ${name}; "bootfleet get ${type}s" lists them`)
  return thing
}
