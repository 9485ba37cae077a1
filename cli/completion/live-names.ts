import { create } from '@bufbuild/protobuf'
import {
  GetStatusRequestSchema,
  ListHostsRequestSchema,
  ListRolloutsRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call, closeClient, openClient } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { listContexts } from '../context-list.ts'
import { loadContext } from '../session.ts'
import type { Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import type { Candidate, LiveType } from './asked.ts'

/** Nobody waits longer for a key, unless they said so: over slow lines a handshake alone takes it. */
const TIMEOUT_MS = 1_000
const TIMEOUT_MAX_MS = 60_000

/** Names that are known now; none at all when whoever knows them cannot be asked, for whatever reason. */
export async function liveNames(
  session: Session,
  types: readonly LiveType[],
  isQualified: boolean,
): Promise<readonly Candidate[]> {
  try {
    if (types.includes('context')) return await contextCandidates(session.terminal)
    const client = await openClient(await loadContext(session))
    try {
      const timeoutMs = timeoutIn(session.terminal)
      const found = await Promise.all(types.map((type) => namesOf(client, type, timeoutMs)))
      return types.flatMap((type, index) =>
        (found[index] ?? []).map(({ about, value }) => {
          return { value: isQualified ? `${type}/${value}` : value, about }
        }),
      )
    } finally {
      closeClient(client)
    }
  } catch {
    return []
  }
}

function timeoutIn({ environment }: Terminal): number {
  const asked = Number(environment['BOOTFLEET_COMPLETION_TIMEOUT_MS'] ?? TIMEOUT_MS)
  return asked > 0 ? Math.min(asked, TIMEOUT_MAX_MS) : TIMEOUT_MS
}

async function contextCandidates(terminal: Terminal): Promise<readonly Candidate[]> {
  const contexts = await listContexts(terminal)
  return contexts.map(({ address, name }) => ({ value: name, about: address }))
}

async function namesOf(
  client: OperatorClient,
  type: LiveType,
  timeoutMs: number,
): Promise<readonly Candidate[]> {
  const { service } = client
  switch (type) {
    case 'context':
      return []
    case 'fleet': {
      const { status } = await call(client, service.getStatus, create(GetStatusRequestSchema), timeoutMs)
      return (status?.fleets ?? []).map(({ name, state }) => ({ value: name, about: `fleet, ${state}` }))
    }
    case 'host': {
      const { hosts } = await call(client, service.listHosts, create(ListHostsRequestSchema), timeoutMs)
      return hosts.map(({ fleet, name }) => ({
        value: name,
        about: fleet === '' ? 'host' : `host of ${fleet}`,
      }))
    }
    case 'rollout': {
      const request = create(ListRolloutsRequestSchema)
      const { rollouts } = await call(client, service.listRollouts, request, timeoutMs)
      return rollouts.map(({ id, state, version }) => ({ value: id, about: `${version} ${state}`.trim() }))
    }
  }
}
