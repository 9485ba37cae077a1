import { createHash } from 'node:crypto'

/** Of ssh-keygen: a signature for another purpose, as of a commit in git, counts for nothing here. */
export const LOGIN_NAMESPACE = 'bootfleet-login'

/**
 * What an operator's SSH key signs to log in: canonical JSON that binds the nonce, the fresh key and the certificate
 * with which the controller spoke, so that nobody in between, and no other controller, can use it.
 */
export function loginStatement(login: {
  readonly nonce: string
  readonly certificateRequestPem: string
  /** DER, as seen in the TLS handshake. */
  readonly serverCertificate: Uint8Array
}): string {
  return JSON.stringify({
    nonce: login.nonce,
    request: sha256(login.certificateRequestPem),
    server: sha256(login.serverCertificate),
    statement: LOGIN_NAMESPACE,
    version: 1,
  })
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
