import type { MessageShape } from '@bufbuild/protobuf'
import type { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { Role } from '../operators/roles.ts'
import { ownerOf } from '../rollout/host-names.ts'
import { findHost, findRollout } from '../orders/targets.ts'
import type { RolloutEngineState } from '../rollout/state.ts'

/** What a call concerns. */
export type Scope =
  /** Whatever the caller may see: the answer holds nothing else. */
  | { readonly kind: 'visible' }
  /** Every fleet, or something that is of no single fleet. */
  | { readonly kind: 'everything' }
  | { readonly kind: 'fleet'; readonly fleet: string }

type Methods = (typeof OperatorService)['method']
export type MethodName = keyof Methods
export type RequestOf<Name extends MethodName> = MessageShape<Methods[Name]['input']>

/**
 * `scopeOf` throws ControllerError NotFound for what does not exist. `isOrder`: it changes something, so it is kept
 * in the audit log.
 */
export type OperatorRule<Request> = {
  readonly role: Role | ((request: Request) => Role)
  readonly scopeOf: (request: Request, state: () => RolloutEngineState) => Scope
  readonly isOrder: boolean
}

const visible = (): Scope => ({ kind: 'visible' })
const everything = (): Scope => ({ kind: 'everything' })

/** Name of a fleet or id of a rollout. */
const targeted = ({ target }: { readonly target: string }, state: () => RolloutEngineState): Scope =>
  fleet(state().fleets.has(target) ? target : findRollout(state(), target).fleet.record.fleet)

const ofFleet = (request: { readonly fleet: string }): Scope =>
  request.fleet === '' ? everything() : fleet(request.fleet)

function ofHost(name: string, state: () => RolloutEngineState): Scope {
  const owner = ownerOf(findHost(state(), name))
  return owner === null ? everything() : fleet(owner)
}

function fleet(name: string): Scope {
  return { kind: 'fleet', fleet: name }
}

function order<Request>(
  role: OperatorRule<Request>['role'],
  scopeOf: OperatorRule<Request>['scopeOf'],
): OperatorRule<Request> {
  return { role, scopeOf, isOrder: true }
}

function read<Request>(scopeOf: OperatorRule<Request>['scopeOf']): OperatorRule<Request> {
  return readAs('view', scopeOf)
}

function readAs<Request>(role: Role, scopeOf: OperatorRule<Request>['scopeOf']): OperatorRule<Request> {
  return { role, scopeOf, isOrder: false }
}

/**
 * Who may call what: the only place that says so, and a method without a line here does not compile. What stops a
 * fleet is easy, what lets it go on or overrides something needs an approver, and who joins is for admins.
 */
export const OPERATOR_RULES: { readonly [Name in MethodName]: OperatorRule<RequestOf<Name>> } = {
  getStatus: read(visible),
  watchStatus: read(visible),
  listHosts: read(visible),
  listRollouts: read(visible),
  listImages: read(visible),
  findHosts: read(visible),
  // It changes nothing that the next poll would not.
  sync: read(visible),
  why: read(({ host }, state) => ofHost(host, state)),
  trace: read(({ host, fleet: name }, state) =>
    host === '' ? ofFleet({ fleet: name }) : ofHost(host, state),
  ),
  pauseRollout: order('operate', targeted),
  resumeRollout: order('approve', targeted),
  // One host again is repair.
  resumeHost: order('operate', ({ host }, state) => ofHost(host, state)),
  promoteRollout: order('approve', targeted),
  approveRollout: order('approve', targeted),
  abortRollout: order('operate', targeted),
  rollBackRollout: order('operate', targeted),
  // One host again is repair; a whole rollout again is letting it go on.
  retryRollout: order(
    ({ host }) => (host === '' ? 'approve' : 'operate'),
    ({ target, host }, state) => (target === '' ? ofHost(host, state) : targeted({ target }, state)),
  ),
  denyDigest: order('operate', ofFleet),
  allowDigest: order('approve', ofFleet),
  halt: order('operate', ofFleet),
  unhalt: order('approve', ofFleet),
  enrolHost: order('admin', everything),
  revokeHost: order('admin', everything),
  createToken: order('admin', everything),
  revokeToken: order('admin', everything),
  listTokens: readAs('admin', everything),
  listJoins: readAs('admin', everything),
  approveJoin: order('admin', everything),
  denyJoin: order('admin', everything),
  issueOperator: order('admin', everything),
  whoAmI: read(visible),
  listAudit: read(visible),
  watchAudit: read(visible),
  exportAudit: read(everything),
}
