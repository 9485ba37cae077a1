import { connect as connectTls } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { ended, heartbeat, newHost, startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
afterEach(() => world.reset())

function syncCode(identity: KeyAndCertificate): Promise<ServiceError | null> {
  const deadline = Date.now() + 60_000
  return new Promise((resolve) =>
    world.operatorClient(identity).sync(create(OperatorService.method.sync.input), { deadline }, resolve),
  )
}

describe('who may call', () => {
  it('is nobody without a certificate', async () => {
    const client = world.operatorClient(null)
    const error = await new Promise<ServiceError | null>((resolve) =>
      client.getStatus(
        create(OperatorService.method.getStatus.input),
        { deadline: Date.now() + 60_000 },
        resolve,
      ),
    )
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain(error?.code)
  })

  it('is nobody with a certificate of another authority', async () => {
    const foreign = await (await openAuthority(await createAuthority())).issueOperator('kim')
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain((await syncCode(foreign))?.code)
  })

  it('is no host at the operator service, and no operator at the agent service', async () => {
    expect((await syncCode(world.host))?.code).toBe(status.PERMISSION_DENIED)
    expect((await ended(world.attach(world.operator))).code).toBe(status.PERMISSION_DENIED)
  })

  it('is no host that is not enrolled', async () => {
    world.enrolled.clear()
    expect((await ended(world.attach(world.host))).code).toBe(status.PERMISSION_DENIED)
  })

  it('ends on an open stream when the certificate expires', async () => {
    const brief = await newHost(world.authority, 10_000)
    world.enrolled.add(brief.hostId)
    const stream = world.attach(brief)
    const end = ended(stream)
    stream.write(heartbeat(1))
    await expect.poll(() => world.attachments.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 10_500))
    stream.write(heartbeat(2))
    expect((await end).code).toBe(status.UNAUTHENTICATED)
    expect(world.attachments).toEqual([{ detached: true }])
  })

  it('speaks TLS 1.3 and nothing older', async () => {
    const [address = '', port] = world.address.split(':')
    const { keyPem: key, certificatePem: cert } = world.operator
    const attempt = new Promise((resolve, reject) => {
      const socket = connectTls(
        {
          host: address,
          port: Number(port),
          ca: world.authority.certificatePem,
          key,
          cert,
          maxVersion: 'TLSv1.2',
          checkServerIdentity: () => undefined,
        },
        () => resolve(socket.getProtocol()),
      )
      socket.on('error', reject)
    })
    await expect(attempt).rejects.toThrow(/protocol version/)
  })
})
