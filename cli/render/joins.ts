import type { Join, JoinToken } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Style } from './style.ts'
import { ageWord, stateWord } from './words.ts'

type Rows = readonly (readonly string[])[]

/** The fingerprint is what an order takes, so that who approves has compared it. */
export function joinTable(joins: readonly Join[], nowMs: bigint, style: Style): Rows {
  const rows = joins.map((join) => [
    join.fingerprint,
    join.hostName,
    labelWord(join.labels),
    join.from,
    join.tokenId,
    stateWord(join.state, style),
    ageWord(join.requestedAtMs, nowMs),
    [join.message, join.decidedBy === '' ? '' : `by ${join.decidedBy}`, join.reason]
      .filter((part) => part !== '')
      .join('; '),
  ])
  return [['REQUEST', 'NAME', 'LABELS', 'FROM', 'TOKEN', 'STATE', 'AGE', 'MESSAGE'], ...rows]
}

export function tokenTable(tokens: readonly JoinToken[], style: Style): Rows {
  const rows = tokens.map((token) => [
    token.id,
    token.returning ? 'hosts that come back' : labelWord(token.labels),
    stateWord(token.state, style),
    `${token.used}/${token.uses}`,
    `${token.autoApprovals}`,
    new Date(Number(token.expiresAtMs)).toISOString().replace('T', ' ').slice(0, 16),
    token.createdBy,
  ])
  return [['TOKEN', 'LABELS', 'STATE', 'USED', 'AUTO', 'EXPIRES (UTC)', 'BY'], ...rows]
}

function labelWord(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '-' : pairs.join(',')
}
