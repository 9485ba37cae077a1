import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { IssueOperatorResponse, WhoAmIResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { makeCertificateRequest } from '../../trust/certificate-request.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.snapshot = snapshotOfFleets(['edge'])
})
afterEach(() => world.reset())

const soon = () => ({ deadline: Date.now() + 60_000 })
const { method } = OperatorService

function issue(name: string, certificateRequestPem: string, lifeMs = 0n): Promise<IssueOperatorResponse> {
  const request = create(method.issueOperator.input, { certificateRequestPem, name, lifeMs })
  return new Promise((resolve, reject) => {
    world.operatorClient(world.operator).issueOperator(request, soon(), (error, response) => {
      if (response === undefined) reject(error ?? new Error('nothing was answered'))
      else resolve(response)
    })
  })
}

test('an operator is certified under the name that an admin gives, and has the roles of that name', async () => {
  const { keyPem, certificateRequestPem } = await makeCertificateRequest()
  const { certificatePem, expiresAtMs } = await issue('alice', certificateRequestPem, 3_600_000n)
  expect(new X509Certificate(certificatePem).subjectAltName).toBe('URI:spiffe://bootfleet/operator/alice')
  expect(Number(expiresAtMs) - Date.now()).toBeLessThanOrEqual(3_601_000)
  world.bindings = [{ who: ['alice'], role: 'view', fleets: ['*'] }]
  const client = world.operatorClient({ keyPem, certificatePem })
  const answered = await new Promise<ServiceError | null>((resolve) =>
    client.getStatus(create(method.getStatus.input), soon(), resolve),
  )
  expect(answered).toBeNull()
  expect(world.facts[0]).toMatchObject({
    event: 'IssueOperator',
    subject: 'name=alice',
    actor: 'operator/kim',
  })
})

test('a certificate that came by a login counts while its SSH key is listed for that operator', async () => {
  const { keyPem, certificateRequestPem } = await makeCertificateRequest()
  const login = `ssh/${'ab'.repeat(32)}`
  const lifetimeMs = 3_600_000
  const certificatePem = await world.authority.issueOperatorFor(certificateRequestPem, {
    name: 'alice',
    lifetimeMs,
    login,
  })
  world.bindings = [{ who: ['alice'], role: 'view', fleets: ['edge'] }]
  const client = world.operatorClient({ keyPem, certificatePem })
  const whoAmI = (): Promise<readonly [ServiceError | null, WhoAmIResponse | undefined]> =>
    new Promise((resolve) =>
      client.whoAmI(create(method.whoAmI.input), soon(), (...answer) => resolve([answer[0], answer[1]])),
    )
  world.loginKeys = [{ operator: 'alice', id: login }]
  expect((await whoAmI())[1]).toMatchObject({ name: 'alice', roles: [{ role: 'view', fleets: ['edge'] }] })
  for (const loginKeys of [[], [{ operator: 'bob', id: login }]]) {
    world.loginKeys = loginKeys
    expect((await whoAmI())[0]).toMatchObject({
      code: status.UNAUTHENTICATED,
      details: expect.stringContaining('log in with another'),
    })
  }
})

test('names that could be read as something else, and lives without a bound, are refused', async () => {
  const { certificateRequestPem } = await makeCertificateRequest()
  for (const name of ['', 'Alice', '*', 'a/b', '../admin', 'alice, URI:spiffe://bootfleet/controller']) {
    await expect(issue(name, certificateRequestPem)).rejects.toThrow('it is no name')
  }
  await expect(issue('alice', certificateRequestPem, 400n * 86_400_000n)).rejects.toThrow('365 days')
})

test('a request of openssl gives nothing but its key', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-issue-'))
  try {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      join(dir, 'key'),
    ]
    const names = ['-subj', '/CN=admin', '-addext', 'subjectAltName=URI:spiffe://bootfleet/operator/admin']
    const pem = execFileSync('openssl', ['req', '-new', ...key, ...names], { encoding: 'utf8' })
    const { certificatePem } = await issue('alice', pem)
    expect(new X509Certificate(certificatePem).subjectAltName).toBe('URI:spiffe://bootfleet/operator/alice')
    await expect(issue('alice', 'no request')).rejects.toThrow('it cannot be read')
  } finally {
    await rm(dir, { recursive: true })
  }
})
