import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { TokenRecord } from './token-record.ts'

/** What a token promises; who only writes to the store must not be able to make one, or to make more of one. */
export type TokenTerms = Pick<
  TokenRecord,
  | 'id'
  | 'secretSha256'
  | 'labels'
  | 'createdBy'
  | 'createdAtMs'
  | 'expiresAtMs'
  | 'uses'
  | 'autoApprovals'
  | 'replaces'
  | 'returning'
>

export type TokenSeal = {
  readonly seal: (terms: TokenTerms) => string
  readonly isSealed: (token: TokenRecord) => boolean
}

/** Every controller of a deployment has the director key, and the store does not. */
export function openTokenSeal(directorKey: KeyObject): TokenSeal {
  const publicKey = createPublicKey(directorKey)
  return {
    seal: (terms) => sign(null, bytesOf(terms), directorKey).toString('base64'),
    isSealed: (token) => verify(null, bytesOf(token), publicKey, Buffer.from(token.seal, 'base64')),
  }
}

/** The first line keeps it apart from all else that the key signs. */
function bytesOf(terms: TokenTerms): Buffer {
  const { id, secretSha256, labels, createdBy, createdAtMs, expiresAtMs, uses, autoApprovals } = terms
  const { replaces, returning } = terms
  const pairs = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const fields: unknown[] = [
    id,
    secretSha256,
    pairs,
    createdBy,
    createdAtMs,
    expiresAtMs,
    uses,
    autoApprovals,
  ]
  if (replaces !== undefined) fields.push([replaces.hostId, replaces.name])
  if (returning === true) fields.push('returning')
  return Buffer.from(`bootfleet token 1\n${JSON.stringify(fields)}`, 'utf8')
}
