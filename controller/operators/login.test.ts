import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { credentials, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditFact } from '../../proto/audit-entry.ts'
import { LoginRequestSchema, LoginService } from '../../proto/gen/bootfleet/v1/login_pb.ts'
import type { ChallengeResponse, LoginResponse } from '../../proto/gen/bootfleet/v1/login_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { ServiceClient } from '../../proto/grpc.ts'
import { LOGIN_NAMESPACE, loginStatement } from '../../proto/login-statement.ts'
import { createSignedRepository, makeSshKey } from '../../test/support/signed-repository.ts'
import type { SshKey } from '../../test/support/signed-repository.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { makeCertificateRequest } from '../../trust/certificate-request.ts'
import { startJoinServer } from '../grpc/join-server.ts'
import type { JoinServer } from '../grpc/join-server.ts'
import { createLoginService } from '../grpc/login-service.ts'
import { isSshSigned } from '../sources/ssh-signature.ts'
import { issueOperator } from './issue.ts'
import { openLogins } from './login.ts'
import { fingerprintOf, parseSshKey } from './login-keys.ts'
import type { LoginKey } from './login-keys.ts'

const HOUR_MS = 3_600_000
const facts: AuditFact[] = []
let listed: readonly LoginKey[]
let dir: string
let kim: SshKey
let stranger: SshKey
let server: JoinServer
let client: ServiceClient<typeof LoginService>
let serverCertificate: Uint8Array

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'bootfleet-login-'))
  kim = makeSshKey(dir, 'kim')
  stranger = makeSshKey(dir, 'stranger')
  const authority = await openAuthority(await createAuthority())
  const tls = await authority.issueServer({ dns: [], ip: [] })
  serverCertificate = new X509Certificate(tls.certificatePem).raw
  const logins = openLogins({
    roles: { loginKeys: () => listed },
    lifeMaxMs: 8 * HOUR_MS,
    serverCertificate: () => serverCertificate,
    isSigned: (signed) => isSshSigned(signed, new AbortController().signal),
    accountOf: () => Promise.resolve('no issuer is configured'),
    issue: (request) => issueOperator(authority, request),
    append: (fact) => Promise.resolve(facts.push(fact)),
    refused: (fact) => Promise.resolve(void facts.push(fact)),
  })
  const logger = pino({ level: 'silent' })
  const handlers = createLoginService(logins, { controllerAddress: 'fleet.example:8443', logger })
  const services = [{ service: LoginService, handlers }]
  server = await startJoinServer({ listen: '127.0.0.1:0', tls: () => tls, services })
  const ca = Buffer.from(authority.certificatePem)
  const options = { 'grpc.ssl_target_name_override': 'localhost' }
  client = createClient(LoginService, {
    address: server.address,
    credentials: credentials.createSsl(ca),
    options,
  })
  listed = [keyOf('kim', kim)]
})
afterAll(async () => {
  client.close()
  await server.close()
  rmSync(dir, { recursive: true })
})
afterEach(() => {
  listed = [keyOf('kim', kim)]
  facts.length = 0
})

function keyOf(operator: string, { publicKey }: SshKey): LoginKey {
  const parsed = parseSshKey(publicKey)
  if (typeof parsed === 'string') throw new Error(parsed)
  return { operator, id: parsed.id }
}

const soon = () => ({ deadline: Date.now() + 60_000 })

async function challenge(): Promise<string> {
  const answer = await new Promise<ChallengeResponse>((resolve, reject) =>
    client.challenge(create(LoginService.method.challenge.input), soon(), (error, response) =>
      response === undefined ? reject(error ?? new Error('no answer')) : resolve(response),
    ),
  )
  return answer.nonce
}

type Request = MessageInitShape<typeof LoginRequestSchema>

function logIn(request: Request): Promise<LoginResponse | ServiceError> {
  return new Promise((resolve) =>
    client.login(create(LoginRequestSchema, request), soon(), (error, response) =>
      resolve(response ?? error ?? (new Error('no answer') as ServiceError)),
    ),
  )
}

function sign(key: SshKey, text: string, namespace = LOGIN_NAMESPACE): string {
  const words = ['-Y', 'sign', '-q', '-f', key.file, '-n', namespace]
  return execFileSync('ssh-keygen', words, {
    input: text,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  })
}

/** Everything that a good login takes. */
async function prepared(key = kim): Promise<Request & { readonly text: string; readonly keyPem: string }> {
  const nonce = await challenge()
  const { keyPem, certificateRequestPem } = await makeCertificateRequest()
  const text = loginStatement({ nonce, certificateRequestPem, serverCertificate })
  return { nonce, certificateRequestPem, publicKey: key.publicKey, signature: sign(key, text), text, keyPem }
}

const refused = {
  code: status.UNAUTHENTICATED,
  details: expect.stringMatching(/^logging in: no operator has this key, or it did not sign/),
}

describe('a login by SSH key', () => {
  it('certifies the fresh key under the name whose SSH key it is, and is kept in the audit log', async () => {
    const answer = (await logIn(await prepared())) as LoginResponse
    expect(answer).toMatchObject({ name: 'kim', controllerAddress: 'fleet.example:8443' })
    const { subjectAltName, validTo } = new X509Certificate(answer.certificatePem)
    const { id } = keyOf('kim', kim)
    expect(subjectAltName).toBe(`URI:spiffe://bootfleet/operator/kim/${id}`)
    expect(Math.abs(Date.parse(validTo) - Date.now() - 8 * HOUR_MS)).toBeLessThan(10 * 60_000)
    const subject = `from=127.0.0.1 key=${fingerprintOf({ id })}`
    expect(facts).toMatchObject([{ actor: 'operator/kim', event: 'Login', outcome: 'Done', subject }])
  })

  it('lasts as long as was asked for, and never longer than the controller gives', async () => {
    const lifeOf = async (lifeMs: bigint): Promise<number> => {
      const answer = await logIn({ ...(await prepared()), lifeMs })
      return Math.round((Number((answer as LoginResponse).expiresAtMs) - Date.now()) / HOUR_MS)
    }
    expect([await lifeOf(BigInt(HOUR_MS)), await lifeOf(BigInt(900 * HOUR_MS))]).toEqual([1, 8])
    expect(await logIn({ ...(await prepared()), lifeMs: -1n })).toMatchObject({
      code: status.INVALID_ARGUMENT,
    })
  })

  it('is refused when the same statement comes again', async () => {
    const request = await prepared()
    expect(await logIn(request)).toMatchObject({ name: 'kim' })
    expect(await logIn(request)).toMatchObject({
      code: status.UNAUTHENTICATED,
      details: expect.stringContaining('was answered before'),
    })
  })

  it('is refused when it was signed for another controller', async () => {
    const request = await prepared()
    const other = await (await openAuthority(await createAuthority())).issueServer({ dns: [], ip: [] })
    const text = loginStatement({
      nonce: request.nonce ?? '',
      certificateRequestPem: request.certificateRequestPem ?? '',
      serverCertificate: new X509Certificate(other.certificatePem).raw,
    })
    expect(await logIn({ ...request, signature: sign(kim, text) })).toMatchObject(refused)
  })

  it('is refused when the key to be certified was exchanged', async () => {
    const request = await prepared()
    const { certificateRequestPem } = await makeCertificateRequest()
    expect(await logIn({ ...request, certificateRequestPem })).toMatchObject(refused)
  })

  it('is refused in the same words for a key that nobody has and for one that did not sign', async () => {
    const unknown = (await logIn(await prepared(stranger))) as ServiceError
    const request = await prepared()
    const forged = (await logIn({ ...request, signature: sign(stranger, request.text) })) as ServiceError
    expect(unknown).toMatchObject(refused)
    expect(forged.details).toBe(unknown.details)
    expect(facts.map(({ outcome, message }) => [outcome, message])).toEqual([
      ['Refused', 'the key is nobody’s'],
      ['Refused', 'the key of kim did not sign this'],
    ])
  })

  it('is refused when the key was taken off the list', async () => {
    const request = await prepared()
    listed = []
    expect(await logIn(request)).toMatchObject(refused)
  })

  it('is refused with what the same key signed for git, a commit or the statement itself', async () => {
    const request = await prepared()
    expect(await logIn({ ...request, signature: sign(kim, request.text, 'git') })).toMatchObject(refused)
    const repository = createSignedRepository(dir)
    repository.commit('Sign this', { key: kim })
    const commit = repository.git('cat-file', 'commit', 'HEAD')
    const armour = /-----BEGIN SSH SIGNATURE-----[\s\S]*-----END SSH SIGNATURE-----/.exec(commit)?.[0] ?? ''
    const signature = `${armour.replaceAll('\n ', '\n')}\n`
    expect(await logIn({ ...(await prepared()), signature })).toMatchObject(refused)
  })

  it('is refused when the line of its key would say more than a key', async () => {
    for (const publicKey of [`${stranger.publicKey}\n${kim.publicKey}`, `* ${kim.publicKey}`, '', '\0']) {
      expect(await logIn({ ...(await prepared()), publicKey })).toMatchObject(refused)
    }
  })

  it('is refused with a signature that is none, or endless', async () => {
    for (const signature of ['', 'no signature', 'x'.repeat(9_000)]) {
      expect(await logIn({ ...(await prepared()), signature })).toMatchObject(refused)
    }
  })
})
