import { createHash, X509Certificate } from 'node:crypto'
import { TRUST_ROLES } from '../../proto/trust-roles.ts'
import { isExpired } from '../../proto/trust-chain.ts'
import type { TrustBundle } from '../../proto/trust-chain.ts'
import { renderTable } from './table.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** For people: who may do what, by the ids that their keys have. */
export function renderTrust(bundle: TrustBundle, nowMs: number): string {
  const { content, keys, signedBy } = bundle
  const leftDays = Math.floor((Date.parse(content.expiresAt) - nowMs) / DAY_MS)
  const left = isExpired(bundle, nowMs) ? 'EXPIRED' : `in ${leftDays} days`
  const rows = TRUST_ROLES.flatMap((role) => {
    const { keyIds, threshold } = content.roles[role]
    if (keyIds.length === 0) return [[role, '', 'no key', '', '']]
    return keyIds.map((id, index) => [
      index === 0 ? role : '',
      index === 0 ? `${threshold} of ${keyIds.length}` : '',
      id.slice(0, 16),
      keys.get(id)?.asymmetricKeyType === 'ed25519' ? 'Ed25519' : 'ECDSA P-256',
      signedBy.has(id) ? 'signed this bundle' : '',
    ])
  })
  const authorities = content.certificateAuthorities.map((pem) => ['CA', '', ...describeAuthority(pem)])
  return [
    renderTable([
      ['Bundle:', String(content.number)],
      ['Issued:', content.issuedAt],
      ['Expires:', `${content.expiresAt} (${left})`],
    ]),
    renderTable([['ROLE', 'NEEDS', 'KEY', 'KIND', ''], ...rows, ...authorities]),
  ].join('\n')
}

/** The whole ids, and the bundle as it was signed. */
export function trustAsJson({ content, signedBy }: TrustBundle): string {
  return `${JSON.stringify({ ...content, signedBy: [...signedBy] }, null, 2)}\n`
}

function describeAuthority(pem: string): readonly [string, string, string] {
  try {
    const certificate = new X509Certificate(pem)
    const fingerprint = createHash('sha256').update(certificate.raw).digest('hex')
    return [fingerprint.slice(0, 16), 'X.509', `until ${new Date(certificate.validTo).toISOString()}`]
  } catch {
    return ['unreadable', 'X.509', '']
  }
}
