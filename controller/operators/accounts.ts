import { createHash } from 'node:crypto'
import { readToken, verifyToken } from './id-token.ts'
import type { TokenRules } from './id-token.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/** Whose account a token is of. */
export type Accounts = (idToken: string) => Promise<{ readonly subject: string } | string>

const USED_MAX = 10_000

/** A token is good once in this process: whoever finds it in a log or a workspace comes too late. */
export function openAccounts(
  rules: TokenRules,
  { keyOf }: IssuerKeys,
  nowMs: () => number = Date.now,
): Accounts {
  const usedUntilMs = new Map<string, number>()
  return async (idToken) => {
    const token = readToken(idToken)
    if (token === null) return 'it is no ID token that is signed by RS256, ES256 or EdDSA'
    const key = await keyOf(token.keyId)
    if (key === null) return 'the issuer has no key of that name'
    const verified = verifyToken(token, key, { rules, nowMs: nowMs() })
    if (typeof verified === 'string') return verified
    for (const [hash, untilMs] of usedUntilMs) if (untilMs < nowMs()) usedUntilMs.delete(hash)
    // ECDSA signatures have two spellings: what was signed is what is used once.
    const hash = createHash('sha256').update(token.signed).digest('hex')
    if (usedUntilMs.has(hash)) return 'it was used before'
    if (usedUntilMs.size >= USED_MAX) return 'too many tokens were used of late'
    usedUntilMs.set(hash, verified.expiresAtMs + USED_KEPT_MS)
    return { subject: verified.subject }
  }
}

/** Longer than any leeway in judging when a token expires. */
const USED_KEPT_MS = 10 * 60_000
