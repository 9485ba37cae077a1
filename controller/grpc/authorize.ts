import { status } from '@grpc/grpc-js'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import { identityOfCertificate } from '../../proto/identity.ts'
import type { Identity } from '../../proto/identity.ts'
import { serviceError } from './status.ts'

type Call = { getAuthContext(): AuthContext; getPeer(): string }

/** A peer for one call: who it is, and whether it still is at a later time of a long stream. */
export type Peer<Kind extends Identity['kind']> = {
  readonly identity: Extract<Identity, { readonly kind: Kind }>
  isValidAt(nowMs: number): boolean
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
  return { identity, isValidAt: (atMs) => readIdentity(der, atMs) !== null }
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
