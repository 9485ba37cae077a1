import { status } from '@grpc/grpc-js'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { ControllerError } from '../errors.ts'
import type { OperatorRoles } from '../operators/bindings-file.ts'
import { greatestRole, hasRole, hasRoleSomewhere } from '../operators/roles.ts'
import type { Role } from '../operators/roles.ts'
import type { RolloutEngineState } from '../rollout/state.ts'
import { OPERATOR_RULES } from './operator-rules.ts'
import type { MethodName, OperatorRule, RequestOf, Scope } from './operator-rules.ts'
import { serviceError } from './status.ts'

/** What an operator may see; asked anew, so that it follows the file. */
export type Viewer = {
  readonly sees: (fleet: string) => boolean
  readonly seesEverything: () => boolean
}

export type Call<Name extends MethodName> = {
  readonly method: Name
  readonly request: RequestOf<Name>
  readonly actor: string
}

/** Whom a call is allowed to, and for what. */
export type Permitted = { readonly viewer: Viewer; readonly fleet: string | null }

export type Permissions = {
  readonly roles: OperatorRoles
  /** @throws ControllerError NotLeader. */
  readonly state: () => RolloutEngineState
}

/**
 * The one check of who may do what.
 * @throws ServiceError PERMISSION_DENIED; ControllerError NotFound, NotLeader.
 */
export function permit<Name extends MethodName>(permissions: Permissions, call: Call<Name>): Permitted {
  const { roles } = permissions
  const { actor, method, request } = call
  const rule: OperatorRule<RequestOf<Name>> = OPERATOR_RULES[method]
  const role = typeof rule.role === 'string' ? rule.role : rule.role(request)
  // Before anything is looked up: who has no such role anywhere learns nothing of what there is.
  if (!hasRoleSomewhere(roles.bindings(), actor, role)) throw refusal(roles, { actor, method, role }, null)
  const scope = scopeOf(permissions, call, { rule, role })
  if (scope.kind !== 'visible') {
    const fleet = scope.kind === 'everything' ? null : scope.fleet
    if (!hasRole(roles.bindings(), actor, { role, fleet }))
      throw refusal(roles, { actor, method, role }, scope)
  }
  return { viewer: viewerOf(roles, actor), fleet: scope.kind === 'fleet' ? scope.fleet : null }
}

export function viewerOf({ bindings }: OperatorRoles, actor: string): Viewer {
  const sees = (fleet: string | null): boolean => hasRole(bindings(), actor, { role: 'view', fleet })
  return { sees: (fleet) => sees(fleet === '' ? null : fleet), seesEverything: () => sees(null) }
}

/** That something does not exist is told only to who may see everything. */
function scopeOf<Name extends MethodName>(
  { roles, state }: Permissions,
  { actor, method, request }: Call<Name>,
  { rule, role }: { readonly rule: OperatorRule<RequestOf<Name>>; readonly role: Role },
): Scope {
  try {
    return rule.scopeOf(request, state)
  } catch (error) {
    const isMissing = error instanceof ControllerError && error.code === 'NotFound'
    if (!isMissing || viewerOf(roles, actor).seesEverything()) throw error
    throw refusal(roles, { actor, method, role }, { kind: 'unknown' })
  }
}

function refusal(
  { bindings, givenIn }: OperatorRoles,
  { actor, method, role }: { readonly actor: string; readonly method: MethodName; readonly role: Role },
  scope: Scope | { readonly kind: 'unknown' } | null,
): Error {
  const asked = `${OperatorService.method[method].name}${onWhat(scope)}`
  const has = ownRole(greatestRole(bindings(), actor, scope?.kind === 'fleet' ? scope.fleet : null), scope)
  const details = `${asked} needs role ${role}${forWhat(scope)}, and operator ${actor} has ${has}; roles are given in ${givenIn}`
  return serviceError(status.PERMISSION_DENIED, details)
}

function onWhat(scope: Scope | { readonly kind: 'unknown' } | null): string {
  return scope?.kind === 'fleet' ? ` on fleet ${JSON.stringify(scope.fleet.slice(0, 63))}` : ''
}

function forWhat(scope: Scope | { readonly kind: 'unknown' } | null): string {
  switch (scope?.kind) {
    case 'everything':
      return ' for every fleet ("*")'
    case 'fleet':
      return ' for it'
    case 'unknown':
      return ' for the fleet that it concerns'
    case 'visible':
    case undefined:
      return ''
  }
}

function ownRole(role: Role | null, scope: Scope | { readonly kind: 'unknown' } | null): string {
  switch (scope?.kind) {
    case 'fleet':
      return role === null ? 'none there' : `${role} there`
    case 'everything':
      return role === null ? 'none for all of them' : `${role} for all of them`
    case 'unknown':
      return 'none that reaches it'
    case 'visible':
    case undefined:
      return 'it for none'
  }
}
