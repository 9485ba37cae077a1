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
import { describeFleet, describeHost, describeRollout } from '../render/describe.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import type { Style } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

type Described = { readonly text: string; readonly data: unknown }

export function runDescribe(
  session: Session,
  words: readonly string[],
  options: { output: 'table' | 'json' | 'yaml' },
): Promise<ExitStatus> {
  const { type, name } = parseObject(words)
  return withClient(session, async (client) => {
    const { text, data } = await describe(client, { type, name, style: styleFor(session.terminal.colour) })
    const rendered = { table: () => text, json: () => renderJson(data), yaml: () => renderYaml(data) }
    session.terminal.out(rendered[options.output]())
    return exitStatus.done
  })
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

async function describe(
  client: OperatorClient,
  { type, name, style }: { readonly type: string; readonly name: string; readonly style: Style },
): Promise<Described> {
  const { service } = client
  switch (type) {
    case 'host':
    case 'hosts': {
      const { hosts } = await call(client, service.listHosts, create(ListHostsRequestSchema))
      const host = found(
        hosts.find((each) => each.name === name || each.hostId === name),
        'host',
        name,
      )
      return described(HostStatusSchema, host, describeHost(host, style))
    }
    case 'fleet':
    case 'fleets': {
      const { status } = await call(client, service.getStatus, create(GetStatusRequestSchema))
      const fleet = found(
        status?.fleets.find((each) => each.name === name),
        'fleet',
        name,
      )
      return described(
        FleetStatusSchema,
        fleet,
        status === undefined ? '' : describeFleet(status, fleet, style),
      )
    }
    case 'rollout':
    case 'rollouts': {
      const { rollouts } = await call(client, service.listRollouts, create(ListRolloutsRequestSchema))
      const rollout = found(
        rollouts.find(({ id }) => id === name),
        'rollout',
        name,
      )
      return described(RolloutStatusSchema, rollout, describeRollout(rollout, style))
    }
  }
  throw new CliError('BadUsage', `describe knows host, fleet and rollout, not "${type}"`)
}

function described<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
  text: string,
): Described {
  return { text, data: toData(schema, message) }
}

function found<Thing>(thing: Thing | undefined, type: string, name: string): Thing {
  if (thing === undefined)
    throw new CliError('NotFound', `no ${type} ${name}; "bootfleet get ${type}s" lists them`)
  return thing
}
