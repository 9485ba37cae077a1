import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { create } from '@bufbuild/protobuf'
import { credentials } from '@grpc/grpc-js'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  ComeBackRequestSchema,
  EnrolRequestSchema,
  JoinService,
} from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { ComeBackResponse, EnrolResponse } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { ServiceClient } from '../../proto/grpc.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { ControllerError } from '../errors.ts'
import type { JoinCall, JoinOutcome } from '../joins/joining-hosts.ts'
import type { Reissued } from '../joins/returning.ts'
import { startJoinServer } from './join-server.ts'
import type { JoinServer } from './join-server.ts'
import { createJoinService } from './join-service.ts'

const hostId = 'a'.repeat(26)
let server: JoinServer
let client: ServiceClient<typeof JoinService>
let calls: JoinCall[]
let outcome: JoinOutcome | Error
let reissued: Reissued | Error | null
let admitted: string[]

beforeAll(async () => {
  const authority = await openAuthority(await createAuthority())
  const { keyPem, certificatePem } = await authority.issueServer({ dns: [], ip: [] })
  const backend = {
    hostIdOfRequest: () => Promise.resolve(hostId),
    join(call: JoinCall): Promise<JoinOutcome> {
      calls.push(call)
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome)
    },
    returnRequest: () => Promise.resolve({ hostId, natsUserPublicKey: 'U' }),
    comeBack: () => (reissued instanceof Error ? Promise.reject(reissued) : Promise.resolve(reissued)),
    trustBundles: () => [Uint8Array.of(1)],
    limits: { admit: () => void admitted.push('joins') },
    returnLimits: { admit: () => void admitted.push('comes back') },
    addresses: { controllerAddress: 'fleet.example:8443', natsUrl: '' },
  }
  server = await startJoinServer({
    listen: '127.0.0.1:0',
    tls: () => ({ keyPem, certificatePem }),
    services: [{ service: JoinService, handlers: createJoinService(backend, pino({ level: 'silent' })) }],
  })
  client = createClient(JoinService, {
    address: server.address,
    credentials: credentials.createSsl(Buffer.from(authority.certificatePem)),
    options: { 'grpc.ssl_target_name_override': 'localhost' },
  })
})
afterAll(async () => {
  client.close()
  await server.close()
})
beforeEach(() => {
  calls = []
  outcome = { kind: 'Refused' }
  reissued = null
  admitted = []
})

type Answer = { readonly error: ServiceError | null; readonly response: EnrolResponse | undefined }
function ask(changes: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  const request = create(EnrolRequestSchema, {
    tokenId: 'abcdefgh27',
    tokenSecret: new Uint8Array(32),
    certificateRequestPem: 'a request',
    natsUserPublicKey: 'UA',
    hostName: 'till-1',
    ...changes,
  })
  return new Promise((resolve) =>
    client.enrol(request, { deadline: Date.now() + 60_000 }, (error, response) =>
      resolve({ error, response }),
    ),
  )
}

describe('a host that asks to join', () => {
  it('is told how long to wait: the longer, the more hosts wait', async () => {
    const waits: (bigint | undefined)[] = []
    for (const waiting of [1, 1_000]) {
      outcome = { kind: 'Waiting', expiresAtMs: 5, message: 'known', waiting }
      const { response } = await ask()
      const value = response?.outcome.case === 'waiting' ? response.outcome.value : undefined
      expect(value).toMatchObject({ expiresAtMs: 5n, message: 'known' })
      waits.push(value?.retryAfterMs)
    }
    expect(waits).toEqual([2_040n, 42_000n])
    expect(calls[0]).toMatchObject({ hostId, name: 'till-1', from: '127.0.0.1' })
  })

  it('gets what it needs, and where to find the rest', async () => {
    const issued = { certificatePem: 'c', certificateAuthorityPem: 'a', trustBundles: [], natsUserJwt: 'j' }
    outcome = { kind: 'Admitted', name: 'till-7', issued }
    expect((await ask()).response?.outcome.value).toMatchObject({
      certificatePem: 'c',
      hostName: 'till-7',
      controllerAddress: 'fleet.example:8443',
    })
  })

  it.each([
    [{ kind: 'Refused' }, status.UNAUTHENTICATED, 'unknown, used, expired or revoked'],
    [{ kind: 'Denied', reason: 'not ours' }, status.PERMISSION_DENIED, 'not ours'],
    [{ kind: 'Full' }, status.RESOURCE_EXHAUSTED, 'too many hosts wait'],
  ] as const)('is refused with a sentence when it is %o', async (given, code, sentence) => {
    outcome = given
    expect((await ask()).error).toMatchObject({ code, details: expect.stringContaining(sentence) as string })
  })

  it.each([
    ['a name that is none', { hostName: '../x' }],
    ['a secret that is none', { tokenSecret: new Uint8Array(65) }],
    ['no key for NATS', { natsUserPublicKey: '' }],
  ])('does not reach the tokens with %s', async (_, changes) => {
    expect((await ask(changes)).error?.code).toBe(status.INVALID_ARGUMENT)
    expect(calls).toEqual([])
  })

  it('learns nothing of what failed inside', async () => {
    outcome = new Error('/secret/path')
    const { error } = await ask()
    expect(error?.code).toBe(status.INTERNAL)
    expect(error?.details).not.toContain('secret')
  })
})

function comeBack(): Promise<ComeBackResponse | undefined> {
  const request = create(ComeBackRequestSchema, { certificateRequestPem: 'a request' })
  return new Promise((resolve) => {
    client.comeBack(request, { deadline: Date.now() + 60_000 }, (_error, response) => resolve(response))
  })
}

it('a host that comes back hears whom to believe, and gets a certificate where it may', async () => {
  const trustBundles = [Buffer.of(1)]
  expect(await comeBack()).toMatchObject({ trustBundles, certificatePem: '', natsUserJwt: '' })
  reissued = { certificatePem: 'a certificate', natsUserJwt: 'a.b.c' }
  expect(await comeBack()).toMatchObject({ trustBundles, ...reissued })
})

it.each(['NotLeader', 'StoreUnavailable', 'AuditUnavailable'] as const)(
  'a host that comes back hears whom to believe also from one that answers %s',
  async (code) => {
    reissued = new ControllerError(code, 'not now')
    expect(await comeBack()).toMatchObject({ trustBundles: [Buffer.of(1)], certificatePem: '' })
  },
)

it('a host that comes back hears nothing where its own request is wrong', async () => {
  reissued = new ControllerError('RequestInvalid', 'no request')
  expect(await comeBack()).toBeUndefined()
})

it('hosts that come back use up nothing of what those may ask that join', async () => {
  await comeBack()
  await ask()
  expect(admitted).toEqual(['comes back', 'joins'])
})
