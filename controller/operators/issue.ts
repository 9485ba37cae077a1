import { X509Certificate } from 'node:crypto'
import type { Pki } from '../pki/pki-directory.ts'
import { ControllerError } from '../errors.ts'

export type OperatorRequest = {
  readonly certificateRequestPem: string
  readonly name: string
  readonly lifeMs: number
  /** The key or account that logged in; without one it is a certificate that an admin gave. */
  readonly login?: string
}

export type IssuedOperator = {
  readonly certificatePem: string
  readonly certificateAuthorityPem: string
  readonly expiresAtMs: number
}

const DAY_MS = 24 * 60 * 60 * 1000
const LIFE_MIN_MS = 60_000
const LIFE_MAX_MS = 365 * DAY_MS
const LIFE_MS = 30 * DAY_MS

/** @throws ControllerError RequestInvalid. */
export function operatorFromWire({
  certificateRequestPem,
  name,
  lifeMs,
}: {
  readonly certificateRequestPem: string
  readonly name: string
  readonly lifeMs: bigint
}): OperatorRequest {
  const asked = lifeMs === 0n ? LIFE_MS : Number(lifeMs)
  if (asked >= LIFE_MIN_MS && asked <= LIFE_MAX_MS) return { certificateRequestPem, name, lifeMs: asked }
  throw new ControllerError(
    'RequestInvalid',
    `certifying operator ${name.slice(0, 63)}: a certificate lives from a minute to 365 days`,
  )
}

/** @throws ControllerError RequestInvalid. */
export async function issueOperator(
  authority: Pick<Pki['authority'], 'certificatePem' | 'issueOperatorFor'>,
  { certificateRequestPem, lifeMs: lifetimeMs, ...operator }: OperatorRequest,
): Promise<IssuedOperator> {
  const certificatePem = await authority.issueOperatorFor(certificateRequestPem, { ...operator, lifetimeMs })
  const certificateAuthorityPem = authority.certificatePem
  return {
    certificatePem,
    certificateAuthorityPem,
    expiresAtMs: Date.parse(new X509Certificate(certificatePem).validTo),
  }
}
