import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import {
  FleetStatusSchema,
  GetStatusRequestSchema,
  HostStatusSchema,
  JoinSchema,
  ListHostsRequestSchema,
  ListJoinsRequestSchema,
  ListRolloutsRequestSchema,
  RolloutStatusSchema,
  SourceStatusSchema,
  WaveStatusSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { HostStatus, Status } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { matchesSelector } from '../../controller/desired-state/label-selector.ts'
import type { Selector } from '../../controller/desired-state/types.ts'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { emptySentence } from '../render/empty.ts'
import { joinTable } from '../render/joins.ts'
import { fleetTable, hostTable, rolloutTable, sourceTable, waveTable } from '../render/lists.ts'
import { sourcesOf } from '../../proto/picture/sentences.ts'
import { worstFirst } from '../../proto/picture/host-order.ts'
import { toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import type { Style } from '../render/style.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { printListed } from './get-output.ts'
import type { ListFormat, Listed } from './get-output.ts'
import { watchListed } from './get-watch.ts'
import type { ObjectType } from './object-types.ts'

type Kind = 'host' | 'fleet' | 'rollout' | 'wave' | 'source' | 'request'
type GetOptions = {
  fleet?: string
  selector?: Selector
  watch?: true
  output: ListFormat['output']
  headers: boolean
}
type Query = {
  readonly kind: Kind
  readonly fleet: string
  readonly selector: Selector | null
  readonly isWide: boolean
  readonly colour: boolean
}

export function runGet(
  session: Session,
  object: { readonly type: ObjectType; readonly name: string | null },
  options: GetOptions,
): Promise<ExitStatus> {
  const { terminal } = session
  const { fleet = '', headers, output, selector = null } = options
  const kind = singular(object.type)
  if (selector !== null && kind !== 'host') {
    throw new CliError('BadUsage', `-l chooses hosts by their labels; ${kind}s have none`)
  }
  const query = { kind, fleet, selector, isWide: output === 'wide', colour: terminal.colour }
  return withClient(session, async (client) => {
    const empty = emptySentence(kind, { fleet, isChosen: selector !== null })
    const format = { kind, output, headers, empty, isOne: object.name !== null }
    const look = async (status: Status | null): Promise<Listed> =>
      choose(await list(client, query, status), kind, object.name)
    if (options.watch === true) await watchListed(terminal, client, { format, look })
    else printListed(terminal, await look(null), format)
    return exitStatus.done
  })
}

/** `told`: a status that was told just now, by which nobody needs to ask for one. */
async function list(client: OperatorClient, query: Query, told: Status | null): Promise<Listed> {
  const style = styleFor(query.colour)
  const nowMs = BigInt(Date.now())
  const { service } = client
  switch (query.kind) {
    case 'host': {
      const request = create(ListHostsRequestSchema, { fleet: query.fleet })
      const answer = await call(client, service.listHosts, request)
      const hosts = worstFirst(answer.hosts.filter((host) => isChosen(host, query.selector)))
      return {
        names: hosts.map(({ name }) => name),
        rows: hostTable(hosts, nowMs, { style, isWide: query.isWide }),
        dataOf: each(HostStatusSchema, hosts),
      }
    }
    case 'rollout': {
      const request = create(ListRolloutsRequestSchema, { fleet: query.fleet })
      const { rollouts } = await call(client, service.listRollouts, request)
      return {
        names: rollouts.map(({ id }) => id),
        rows: rolloutTable(rollouts, nowMs, { style, isWide: query.isWide }),
        dataOf: each(RolloutStatusSchema, rollouts),
      }
    }
    case 'request': {
      const { joins } = await call(client, service.listJoins, create(ListJoinsRequestSchema))
      return {
        names: joins.map(({ fingerprint }) => fingerprint),
        rows: joinTable(joins, nowMs, style),
        dataOf: each(JoinSchema, joins),
      }
    }
    case 'wave':
      return listWaves(told ?? (await askStatus(client)), query.fleet, style)
    case 'source': {
      const sources = sourcesOf(told ?? (await askStatus(client)))
      return {
        names: sources.map(({ name }) => name),
        rows: sourceTable(sources, nowMs, style),
        dataOf: each(SourceStatusSchema, sources),
      }
    }
    case 'fleet': {
      const status = told ?? (await askStatus(client))
      const fleets = (status?.fleets ?? []).filter(({ name }) => query.fleet === '' || name === query.fleet)
      return {
        names: fleets.map(({ name }) => name),
        rows: fleetTable(fleets, { style, isWide: query.isWide }),
        dataOf: each(FleetStatusSchema, fleets),
      }
    }
  }
}

function isChosen({ declaredLabels, labels }: HostStatus, selector: Selector | null): boolean {
  return selector === null || matchesSelector(selector, { ...labels, ...declaredLabels })
}

async function askStatus(client: OperatorClient): Promise<Status | undefined> {
  return (await call(client, client.service.getStatus, create(GetStatusRequestSchema))).status
}

function listWaves(status: Status | undefined, fleet: string, style: Style): Listed {
  const rollouts = (status?.fleets ?? []).flatMap(({ rollout }) => rollout ?? [])
  const waves = rollouts
    .filter((rollout) => fleet === '' || rollout.fleet === fleet)
    .flatMap((rollout) => rollout.waves.map((wave) => ({ rollout, wave })))
  return {
    names: waves.map(({ rollout, wave }) => `${rollout.id}/${wave.name}`),
    rows: waveTable(waves, style),
    dataOf: (index) => {
      const found = waves[index]
      if (found === undefined) return null
      const { rollout, wave } = found
      const data = toData(WaveStatusSchema, wave) as Readonly<Record<string, unknown>>
      return { rollout: rollout.id, fleet: rollout.fleet, ...data }
    },
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
  return { names: [name], rows: [header, row], dataOf: () => listed.dataOf(index) }
}

function each<Schema extends DescMessage>(
  schema: Schema,
  messages: readonly MessageShape<Schema>[],
): Listed['dataOf'] {
  return (index) => {
    const message = messages[index]
    return message === undefined ? null : toData(schema, message)
  }
}

export function singular(type: ObjectType): Kind {
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
    case 'wave':
    case 'waves':
      return 'wave'
    case 'source':
    case 'sources':
      return 'source'
    case 'request':
    case 'requests':
      return 'request'
  }
}
