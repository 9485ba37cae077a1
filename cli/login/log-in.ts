import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { create } from '@bufbuild/protobuf'
import {
  ChallengeRequestSchema,
  LoginRequestSchema,
  LoginService,
} from '../../proto/gen/bootfleet/v1/login_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import { identityOfCertificate } from '../../proto/identity.ts'
import { LOGIN_NAMESPACE, loginStatement } from '../../proto/login-statement.ts'
import { makeCertificateRequest } from '../../trust/certificate-request.ts'
import { call, channelTo } from '../client.ts'
import { CliError } from '../errors.ts'
import { publicKeyOf, signWithSshKey } from '../ssh-key.ts'
import type { Terminal } from '../terminal.ts'

/** Files by which one is known. */
export type Proof =
  { readonly kind: 'ssh'; readonly key: string } | { readonly kind: 'oidc'; readonly tokenFile: string }

export type LoginAsked = {
  /** HOST:PORT where the controller listens for whoever has no certificate. */
  readonly server: string
  readonly authorityPem: string
  readonly proof: Proof
  /** 0: as long as the controller gives. */
  readonly lifeMs: number
}

export type LoggedIn = {
  readonly name: string
  readonly keyPem: string
  readonly certificatePem: string
  readonly expiresAtMs: number
  /** Empty when the controller was not told. */
  readonly controllerAddress: string
}

/** A fresh key and its certificate, for the word of an SSH key or of an issuer. */
export async function logIn(asked: LoginAsked, terminal: Terminal): Promise<LoggedIn> {
  const { server: address, authorityPem, proof, lifeMs } = asked
  const seen: { certificate: Uint8Array | null } = { certificate: null }
  const channel = channelTo(Buffer.from(authorityPem), null, (der) => {
    seen.certificate = der
  })
  const service = createClient(LoginService, { address, ...channel })
  const client = { service, address, note: terminal.note }
  try {
    const { nonce } = await call(client, service.challenge, create(ChallengeRequestSchema))
    const { keyPem, certificateRequestPem } = await makeCertificateRequest()
    const { certificate: serverCertificate } = seen
    if (serverCertificate === null) throw new Error('a call was answered before any handshake')
    const text = loginStatement({ nonce, certificateRequestPem, serverCertificate })
    const proven = await prove(proof, text, terminal)
    const told = { nonce, certificateRequestPem, ...proven, lifeMs: BigInt(lifeMs) }
    const answer = await call(client, service.login, create(LoginRequestSchema, told))
    const { certificatePem, name, expiresAtMs, controllerAddress } = answer
    requireOurs(certificatePem, { keyPem, name })
    return { name, keyPem, certificatePem, expiresAtMs: Number(expiresAtMs), controllerAddress }
  } finally {
    service.close()
  }
}

async function prove(
  proof: Proof,
  text: string,
  terminal: Terminal,
): Promise<{ readonly publicKey: string; readonly signature: string } | { readonly idToken: string }> {
  switch (proof.kind) {
    case 'ssh': {
      const publicKey = await publicKeyOf(proof.key, terminal.signal)
      const statement = { key: proof.key, namespace: LOGIN_NAMESPACE, text }
      return { publicKey, signature: await signWithSshKey(statement, terminal) }
    }
    case 'oidc': {
      const token = await readFile(proof.tokenFile, 'utf8').catch((cause: unknown) => {
        throw new CliError('BadUsage', `reading the ID token: ${String(cause)}`, { cause })
      })
      return { idToken: token.trim() }
    }
  }
}

function requireOurs(pem: string, { keyPem, name }: Pick<LoggedIn, 'keyPem' | 'name'>): void {
  const certificate = new X509Certificate(pem)
  const identity = identityOfCertificate(certificate.raw, Date.now())
  const isOurs = certificate.checkPrivateKey(createPrivateKey(keyPem))
  if (isOurs && identity?.kind === 'operator' && identity.name === name) return
  throw new CliError(
    'ControllerRefused',
    'logging in: the controller answered with a certificate that is not for this key now; compare the clocks of both machines',
  )
}
