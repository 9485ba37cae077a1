import { LOGIN_NAMESPACE, loginStatement } from '../../proto/login-statement.ts'
import type { AuditFact } from '../../proto/audit-entry.ts'
import { ControllerError } from '../errors.ts'
import type { OperatorRoles } from './bindings-file.ts'
import type { IssuedOperator, OperatorRequest } from './issue.ts'
import { accountId, fingerprintOf, parseSshKey } from './login-keys.ts'
import type { LoginKey } from './login-keys.ts'
import { openNonces } from './nonces.ts'

export type LoginAttempt = {
  readonly nonce: string
  readonly certificateRequestPem: string
  readonly publicKey: string
  readonly signature: string
  /** Instead of both; empty without. */
  readonly idToken: string
  /** 0: as long as the controller gives. */
  readonly lifeMs: number
  /** The caller's network address. */
  readonly from: string
}

export type LoggedIn = {
  readonly name: string
  readonly certificatePem: string
  readonly expiresAtMs: number
}

/** How operators come to a certificate by an SSH key or an ID token. */
export type Logins = {
  readonly challenge: () => string
  /**
   * The nonce is used up, whatever comes of it.
   * @throws ControllerError IdentityInvalid, in the same words whether nobody has the key or it did not sign;
   * IssuerUnreachable; RequestInvalid; AuditUnavailable.
   */
  readonly login: (attempt: LoginAttempt) => Promise<LoggedIn>
}

export type LoginsOptions = {
  readonly roles: Pick<OperatorRoles, 'loginKeys'>
  readonly lifeMaxMs: number
  /** DER of the certificate that callers see. */
  readonly serverCertificate: () => Uint8Array
  readonly isSigned: (signed: {
    readonly text: string
    readonly namespace: string
    readonly signature: string
    readonly publicKey: string
  }) => Promise<boolean>
  /** The account whose token it is, or a sentence on why it is nobody's. */
  readonly accountOf: (idToken: string) => Promise<{ readonly subject: string } | string>
  readonly issue: (request: OperatorRequest) => Promise<IssuedOperator>
  readonly append: (fact: AuditFact) => Promise<number>
  /** A refusal, as often as the audit log can bear it. */
  readonly refused: (fact: AuditFact) => Promise<void>
}

const LIFE_MIN_MS = 60_000
const SIGNATURE_MAX_BYTES = 8 * 1024

export function openLogins(options: LoginsOptions): Logins {
  const nonces = openNonces()
  return {
    challenge: nonces.give,
    async login(attempt) {
      if (attempt.lifeMs !== 0 && attempt.lifeMs < LIFE_MIN_MS)
        throw new ControllerError('RequestInvalid', 'logging in: a login lasts at least a minute')
      if (!nonces.take(attempt.nonce)) {
        const message =
          'logging in: the challenge was answered before, is older than a minute or was not given here; log in again'
        throw new ControllerError('IdentityInvalid', message)
      }
      const proven =
        attempt.idToken === '' ? await provenKey(options, attempt) : await provenAccount(options, attempt)
      return certify(options, attempt, proven)
    },
  }
}

/** `by` is what the audit log says of it. */
type Proven = LoginKey & { readonly by: string }

async function provenAccount(options: LoginsOptions, attempt: LoginAttempt): Promise<Proven> {
  const account = await options.accountOf(attempt.idToken)
  if (typeof account === 'string') throw await refusal(options, attempt, { by: 'token', found: account })
  const by = `account=${account.subject}`
  const listed = options.roles.loginKeys().find(({ id }) => id === accountId(account.subject))
  if (listed !== undefined) return { ...listed, by }
  throw await refusal(options, attempt, { by, found: 'the account is nobody’s' })
}

async function provenKey(options: LoginsOptions, attempt: LoginAttempt): Promise<Proven> {
  const { publicKey: written, signature, nonce, certificateRequestPem } = attempt
  const parsed = parseSshKey(written)
  if (typeof parsed === 'string' || signature.length > SIGNATURE_MAX_BYTES)
    throw await refusal(options, attempt, { by: 'key=', found: 'no key that may log in' })
  const { publicKey, id } = parsed
  const serverCertificate = options.serverCertificate()
  const text = loginStatement({ nonce, certificateRequestPem, serverCertificate })
  // Also for a key that nobody has: how long a refusal takes says nothing of who is listed.
  const isSigned = await options.isSigned({ text, namespace: LOGIN_NAMESPACE, signature, publicKey })
  const listed = options.roles.loginKeys().find((key) => key.id === id)
  const by = `key=${fingerprintOf({ id })}`
  if (isSigned && listed !== undefined) return { ...listed, by }
  const found =
    listed === undefined ? 'the key is nobody’s' : `the key of ${listed.operator} did not sign this`
  throw await refusal(options, attempt, { by, found })
}

async function refusal(
  { refused }: LoginsOptions,
  { from }: LoginAttempt,
  { by, found }: { readonly by: string; readonly found: string },
): Promise<ControllerError> {
  const subject = `from=${from} ${by}`
  await refused({ actor: 'controller', event: 'Login', outcome: 'Refused', subject, message: found })
  const message =
    'logging in: no operator has this key, or it did not sign the challenge for this controller; or no operator has this account, or its token does not count; operators are listed in operators.yaml of the controller, with what they log in with'
  return new ControllerError('IdentityInvalid', message)
}

async function certify(
  { issue, append, lifeMaxMs }: LoginsOptions,
  { certificateRequestPem, lifeMs, from }: LoginAttempt,
  { operator: name, id: login, by }: Proven,
): Promise<LoggedIn> {
  const givenMs = lifeMs === 0 ? lifeMaxMs : Math.min(lifeMs, lifeMaxMs)
  const request = { certificateRequestPem, name, login, lifeMs: givenMs }
  const { certificatePem, expiresAtMs } = await issue(request)
  const subject = `from=${from} ${by}`
  const message = `until ${new Date(expiresAtMs).toISOString()}`
  await append({ actor: `operator/${name}`, event: 'Login', outcome: 'Done', subject, message })
  return { name, certificatePem, expiresAtMs }
}
