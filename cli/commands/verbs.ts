import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { CallOptions, ServiceError } from '@grpc/grpc-js'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'
import { parseTarget } from '../target.ts'
import { orders } from './orders.ts'

export type VerbOptions = {
  readonly reason: string
  readonly output: 'table' | 'json' | 'yaml'
  readonly wave?: string
  readonly host?: string
  readonly all?: true
}
export type RolloutVerb = 'pause' | 'resume' | 'promote' | 'approve' | 'abort' | 'rollback'

/** A fleet, whose current rollout is meant, or a rollout. */
export async function runRolloutVerb(
  session: Session,
  verb: RolloutVerb,
  { words, options }: { readonly words: readonly string[]; readonly options: VerbOptions },
): Promise<ExitStatus> {
  const target = parseTarget(verb, words, ['fleet', 'rollout']).name
  const { reason, wave = '' } = options
  switch (verb) {
    case 'pause':
      return order(session, options, orders.pauseRollout, { target, reason })
    case 'resume':
      return order(session, options, orders.resumeRollout, { target, reason })
    case 'promote':
      return order(session, options, orders.promoteRollout, { target, reason, wave })
    case 'approve':
      return order(session, options, orders.approveRollout, { target, reason, wave })
    case 'abort':
      return order(session, options, orders.abortRollout, { target, reason })
    case 'rollback':
      return order(session, options, orders.rollBackRollout, { target, reason })
  }
}

/** A host that asks to join, where the word says so; else what a rollout waits for. */
export async function runApprove(
  session: Session,
  words: readonly string[],
  options: VerbOptions & { readonly name?: string },
): Promise<ExitStatus> {
  const { name, reason } = options
  const host = requestNamed('approve', words)
  if (host !== null) return order(session, options, orders.approveJoin, { host, name: name ?? '', reason })
  if (name !== undefined) throw new CliError('BadUsage', 'approve takes --name only with request/ID')
  return runRolloutVerb(session, 'approve', { words, options })
}

/** Only with the slash: a fleet may be called so. */
function requestNamed(verb: string, words: readonly string[]): string | null {
  return words[0]?.startsWith('request/') === true ? parseTarget(verb, words, ['request']).name : null
}

/** Every host of a fleet or rollout that failed, or one host in the rollout of its fleet. */
export async function runRetry(
  session: Session,
  words: readonly string[],
  options: VerbOptions,
): Promise<ExitStatus> {
  const { type, name } = parseTarget('retry', words, ['fleet', 'rollout', 'host'])
  const { reason, host = '' } = options
  if (type === 'host' && host !== '')
    throw new CliError('BadUsage', 'retry takes host/NAME or --host, not both')
  const whom = type === 'host' ? { target: '', host: name } : { target: name, host }
  return order(session, options, orders.retryRollout, { ...whom, reason })
}

/** The last word is the digest, also as `repository@sha256:…`; or a host that asks to join is denied. */
export async function runDigestVerb(
  session: Session,
  verb: 'deny' | 'allow',
  { words, options }: { readonly words: readonly string[]; readonly options: VerbOptions },
): Promise<ExitStatus> {
  const host = verb === 'deny' ? requestNamed(verb, words) : null
  if (host !== null) return order(session, options, orders.denyJoin, { host, reason: options.reason })
  const written = words.at(-1) ?? ''
  if (words.length < 2)
    throw new CliError(
      'BadUsage',
      `${verb} takes a fleet and a digest, not "${words.join(' ')}"; as in: bootfleet ${verb} fleet/edge sha256:… --reason TEXT ("bootfleet images -o name" lists digests)`,
    )
  const fleet = parseTarget(verb, words.slice(0, -1), ['fleet']).name
  const request = { fleet, digest: written.slice(written.lastIndexOf('@') + 1), reason: options.reason }
  return verb === 'deny'
    ? order(session, options, orders.denyDigest, request)
    : order(session, options, orders.allowDigest, request)
}

/** Without a fleet everything: the red button asks nothing. */
export async function runHalt(
  session: Session,
  words: readonly string[],
  options: VerbOptions,
): Promise<ExitStatus> {
  const fleet = words.length === 0 ? '' : parseTarget('halt', words, ['fleet']).name
  if (fleet !== '' && options.all === true)
    throw new CliError('BadUsage', 'halt takes a fleet or --all, not both')
  return order(session, options, orders.halt, { fleet, reason: options.reason })
}

/** A halt of all with --all; what a person chose on a host; else a halt of the fleet, or the pause of its rollout. */
export async function runResume(
  session: Session,
  words: readonly string[],
  options: VerbOptions,
): Promise<ExitStatus> {
  if (options.all !== true) {
    const { type, name } = parseTarget('resume', words, ['fleet', 'rollout', 'host'])
    const { reason } = options
    if (type === 'host') return order(session, options, orders.resumeHost, { host: name, reason })
    return runRolloutVerb(session, 'resume', { words, options })
  }
  if (words.length > 0) throw new CliError('BadUsage', 'resume takes a fleet or rollout, or --all, not both')
  return order(session, options, orders.unhalt, { fleet: '', reason: options.reason })
}

export async function runRevoke(
  session: Session,
  words: readonly string[],
  options: VerbOptions,
): Promise<ExitStatus> {
  const { name } = parseTarget('revoke', words, ['host'])
  return order(session, options, orders.revokeHost, { host: name, reason: options.reason })
}

export function runRevokeToken(session: Session, tokenId: string, options: VerbOptions): Promise<ExitStatus> {
  return order(session, options, orders.revokeToken, { tokenId, reason: options.reason })
}

type Ordering<Request extends DescMessage, Response extends DescMessage> = {
  readonly request: Request
  readonly response: Response
  readonly method: (
    service: OperatorClient['service'],
  ) => (
    request: MessageShape<Request>,
    options: CallOptions,
    done: (error: ServiceError | null, response?: MessageShape<Response>) => void,
  ) => unknown
}

async function order<Request extends DescMessage, Response extends DescMessage>(
  session: Session,
  { output }: VerbOptions,
  { request: schema, response: answer, method }: Ordering<Request, Response>,
  fields: MessageInitShape<Request>,
): Promise<ExitStatus> {
  return withClient(session, async (client) => {
    const said = await call(client, method(client.service), create(schema, fields))
    const data = toData(answer, said)
    const sentence = 'message' in said ? String(said.message) : ''
    const rendered = {
      table: () => `${sentence}\n`,
      json: () => renderJson(data),
      yaml: () => renderYaml(data),
    }
    session.terminal.out(rendered[output]())
    return exitStatus.done
  })
}
