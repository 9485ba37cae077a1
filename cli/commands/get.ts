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
import { fleetTable, hostTable, rolloutTable } from '../render/lists.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { renderTable } from '../render/table.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

export type ObjectType = 'hosts' | 'fleets' | 'rollouts' | 'host' | 'fleet' | 'rollout'
type Listed = {
  readonly names: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly data: readonly unknown[]
}
type GetOptions = { fleet?: string; output: 'table' | 'json' | 'yaml' | 'name'; headers: boolean }

export function runGet(
  session: Session,
  object: { readonly type: ObjectType; readonly name: string | null },
  options: GetOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    const kind = singular(object.type)
    const listed = await list(client, { kind, fleet: options.fleet ?? '', colour: terminal.colour })
    const chosen = choose(listed, kind, object.name)
    const data = object.name === null ? chosen.data : chosen.data[0]
    switch (options.output) {
      case 'json':
        terminal.out(renderJson(data))
        break
      case 'yaml':
        terminal.out(renderYaml(data))
        break
      case 'name':
        terminal.out(chosen.names.map((name) => `${kind}/${name}\n`).join(''))
        break
      case 'table':
        terminal.out(renderTable(options.headers ? chosen.rows : chosen.rows.slice(1)))
        if (chosen.names.length === 0) terminal.note(`no ${kind}s\n`)
        break
    }
    return exitStatus.done
  })
}

async function list(
  client: OperatorClient,
  query: { readonly kind: 'host' | 'fleet' | 'rollout'; readonly fleet: string; readonly colour: boolean },
): Promise<Listed> {
  const style = styleFor(query.colour)
  const nowMs = BigInt(Date.now())
  const { service } = client
  switch (query.kind) {
    case 'host': {
      const { hosts } = await call(
        client,
        service.listHosts,
        create(ListHostsRequestSchema, { fleet: query.fleet }),
      )
      return {
        names: hosts.map(({ name }) => name),
        rows: hostTable(hosts, nowMs, style),
        data: all(HostStatusSchema, hosts),
      }
    }
    case 'rollout': {
      const request = create(ListRolloutsRequestSchema, { fleet: query.fleet })
      const { rollouts } = await call(client, service.listRollouts, request)
      return {
        names: rollouts.map(({ id }) => id),
        rows: rolloutTable(rollouts, nowMs, style),
        data: all(RolloutStatusSchema, rollouts),
      }
    }
    case 'fleet': {
      const { status } = await call(client, service.getStatus, create(GetStatusRequestSchema))
      const fleets = (status?.fleets ?? []).filter(({ name }) => query.fleet === '' || name === query.fleet)
      return {
        names: fleets.map(({ name }) => name),
        rows: fleetTable(fleets, style),
        data: all(FleetStatusSchema, fleets),
      }
    }
  }
}

function choose(listed: Listed, kind: string, name: string | null): Listed {
  if (name === null) return listed
  const index = listed.names.indexOf(name)
  const [header, ...rows] = listed.rows
  const row = rows[index]
  if (row === undefined || header === undefined) {
    throw new CliError('NotFound', `no ${kind} ${name}; "bootfleet get ${kind}s" lists them`)
  }
  return { names: [name], rows: [header, row], data: [listed.data[index]] }
}

function all<Schema extends DescMessage>(
  schema: Schema,
  messages: readonly MessageShape<Schema>[],
): unknown[] {
  return messages.map((message) => toData(schema, message))
}

export function singular(type: ObjectType): 'host' | 'fleet' | 'rollout' {
  switch (type) {
    case 'host':
    case 'hosts':
      return 'host'
    case 'fleet':
    case 'fleets':
      return 'fleet'
    case 'rollout':
    case 'rollouts':
      return 'rollout'
  }
}
