import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'

type Json = Readonly<Record<string, unknown>>
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const
export type Algorithm = (typeof ALGORITHMS)[number]
type IssuerKeys = Readonly<
  Record<Algorithm, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>
>

export type OidcIssuer = {
  /** https://localhost:PORT */
  readonly issuer: string
  readonly caFile: string
  readonly keys: Readonly<
    Record<Algorithm, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>
  >
  /** Paths that were asked for. */
  readonly asked: string[]
  /** What is at a path, instead of what an issuer has there. */
  readonly changed: Map<string, { readonly status: number; readonly body: string }>
  /** Claims of a good token, for the audience `bootfleet`. */
  claims(changes?: Json): Json
  /** A token signed with the key of `algorithm`, whose name is that of the algorithm unless the header says otherwise. */
  token(claims: Json, algorithm?: Algorithm, header?: Json): string
  close(): Promise<void>
}

export const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A little issuer over HTTPS on the loopback, with a CA of its own in `dir`. */
export async function startOidcIssuer(dir: string): Promise<OidcIssuer> {
  const ca = await createAuthority()
  const { keyPem: key, certificatePem: cert } = await (
    await openAuthority(ca)
  ).issueServer({ dns: [], ip: [] })
  const caFile = join(dir, 'issuer-ca.pem')
  await writeFile(caFile, ca.certificatePem)
  const keys = makeIssuerKeys()
  const jwks = Object.entries(keys).map(([kid, { publicKey }]) => ({
    ...publicKey.export({ format: 'jwk' }),
    kid,
    use: 'sig',
  }))
  const server = createServer({ key, cert }, (request, response) => {
    const path = request.url ?? ''
    issuer.asked.push(path)
    const documents: Readonly<Record<string, Json>> = {
      '/.well-known/openid-configuration': { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/keys` },
      '/keys': { keys: jwks },
    }
    const document = documents[path]
    const { status, body } = issuer.changed.get(path) ?? {
      status: document === undefined ? 404 : 200,
      body: JSON.stringify(document ?? {}),
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer: OidcIssuer = {
    issuer: `https://localhost:${(server.address() as AddressInfo).port}`,
    caFile,
    keys,
    asked: [],
    changed: new Map(),
    claims(changes = {}) {
      const now = Math.floor(Date.now() / 1000)
      const times = { iat: now, exp: now + 600 }
      return { iss: issuer.issuer, aud: 'bootfleet', sub: 'kim@example.org', ...times, ...changes }
    },
    token: (claims, algorithm = 'ES256', header = {}) => signToken(claims, { algorithm, keys, header }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return issuer
}

export function makeIssuerKeys(): IssuerKeys {
  return {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  }
}

export function signToken(
  claims: Json,
  {
    algorithm,
    keys,
    header = {},
  }: { readonly algorithm: Algorithm; readonly keys: IssuerKeys; readonly header?: Json },
): string {
  const signed = `${encode({ alg: algorithm, kid: algorithm, typ: 'JWT', ...header })}.${encode(claims)}`
  const { privateKey } = keys[algorithm]
  const signer = algorithm === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const } : privateKey
  const signature = sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(signed), signer)
  return `${signed}.${signature.toString('base64url')}`
}

/** Signed by HMAC with what everybody can read, as if it were a secret. */
export function signedByPublicKey(claims: Json, publicKey: KeyObject, header: Json): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims)}`
  const secret = publicKey.export({ type: 'spki', format: 'pem' })
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
