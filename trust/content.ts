import { keyIdOf } from '../proto/envelope.ts'
import { TRUST_ROLES } from '../proto/trust-roles.ts'
import type { TrustContent } from '../proto/trust-bundle.ts'
import type { TrustRole } from '../proto/trust-roles.ts'
import { publicPem } from './keys.ts'
import type { KeyObject } from 'node:crypto'

export type RoleKeys = Readonly<Record<TrustRole, readonly KeyObject[]>>
export type Thresholds = Readonly<Record<TrustRole, number>>

/** A bundle's content from public keys; unsigned. */
export function contentOf(options: {
  readonly number: number
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  readonly keys: RoleKeys
  readonly thresholds: Thresholds
  readonly certificateAuthorities: readonly string[]
}): TrustContent {
  const { keys, thresholds } = options
  const idsOf = (role: TrustRole): string[] => keys[role].map((key) => keyIdOf(key))
  const role = (name: TrustRole): TrustContent['roles'][TrustRole] => ({
    threshold: thresholds[name],
    keyIds: idsOf(name),
  })
  return {
    version: 1,
    number: options.number,
    issuedAt: new Date(options.issuedAtMs).toISOString(),
    expiresAt: new Date(options.expiresAtMs).toISOString(),
    keys: TRUST_ROLES.flatMap((name) => keys[name]).map((key) => ({
      id: keyIdOf(key),
      publicKey: publicPem(key),
    })),
    roles: {
      root: role('root'),
      director: role('director'),
      release: role('release'),
      approver: role('approver'),
    },
    certificateAuthorities: [...options.certificateAuthorities],
  }
}
