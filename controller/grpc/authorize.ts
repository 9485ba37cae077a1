import { X509Certificate } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import { BACKDATED_MS, HOST_LIFE_MAX_MS, identityOfCertificate } from '../../proto/identity.ts'
import type { Identity } from '../../proto/identity.ts'
import type { OperatorRoles } from '../operators/bindings-file.ts'
import { serviceError } from './status.ts'

type Call = { getAuthContext(): AuthContext; getPeer(): string }

/** A peer for one call: who it is, and whether it still is at a later time of a long stream. */
export type Peer<Kind extends Identity['kind']> = {
  readonly identity: Extract<Identity, { readonly kind: Kind }>
  isValidAt(nowMs: number): boolean
  /** Its certificate lives longer than a host's may, so it is good only to be renewed. */
  readonly isJoining: boolean
}

/**
 * The caller, when its certificate makes it one of `kind`; anything else is refused.
 * @throws ServiceError UNAUTHENTICATED without a valid certificate, PERMISSION_DENIED with one of another kind.
 */
export function authorize<Kind extends Identity['kind']>(
  call: Call,
  kind: Kind,
  nowMs = Date.now(),
): Peer<Kind> {
  const der = call.getAuthContext().sslPeerCertificate?.raw
  const identity = der === undefined ? null : readIdentity(der, nowMs)
  if (der === undefined || identity === null) {
    throw serviceError(status.UNAUTHENTICATED, 'the client certificate names no identity that is valid now')
  }
  if (!isOfKind(identity, kind)) {
    throw serviceError(
      status.PERMISSION_DENIED,
      `this service is for the identity of one ${kind}, and the certificate is for a ${identity.kind}`,
    )
  }
  return { identity, isValidAt: (atMs) => readIdentity(der, atMs) !== null, isJoining: isLongLived(der) }
}

/**
 * The operator that calls. A certificate that came by a login ends with the key or account that logged in, which is
 * taken off its list when it is stolen.
 * @throws ServiceError as {@link authorize}, and UNAUTHENTICATED when the key is not the operator's any more.
 */
export function authorizeOperator(
  call: Call,
  { loginKeys }: Pick<OperatorRoles, 'loginKeys'>,
): Peer<'operator'>['identity'] {
  const { identity } = authorize(call, 'operator')
  const { name, login } = identity
  const isGood =
    login === undefined || loginKeys().some(({ id, operator }) => id === login && operator === name)
  if (isGood) return identity
  throw serviceError(
    status.UNAUTHENTICATED,
    `the ${login.startsWith('ssh/') ? 'SSH key' : 'account'} that logged in as operator ${name} is not one of that operator’s any more; log in with another`,
  )
}

function isLongLived(der: Uint8Array): boolean {
  const { validFrom, validTo } = new X509Certificate(der)
  return Date.parse(validTo) - Date.parse(validFrom) > HOST_LIFE_MAX_MS + 2 * BACKDATED_MS
}

function isOfKind<Kind extends Identity['kind']>(
  identity: Identity,
  kind: Kind,
): identity is Extract<Identity, { readonly kind: Kind }> {
  return identity.kind === kind
}

function readIdentity(der: Uint8Array, nowMs: number): Identity | null {
  try {
    return identityOfCertificate(der, nowMs)
  } catch {
    return null
  }
}
