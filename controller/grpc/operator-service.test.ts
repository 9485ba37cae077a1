import { generateKeyPairSync } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import type { KeyAndCertificate } from '../pki/certificate-authority.ts'

let world: GrpcWorld

beforeAll(async () => {
  world = await startGrpcWorld()
})
afterAll(() => world.close())
afterEach(() => world.reset())

function syncCode(identity: KeyAndCertificate): Promise<ServiceError | null> {
  const deadline = Date.now() + 3_000
  return new Promise((resolve) =>
    world.operatorClient(identity).sync(create(OperatorService.method.sync.input), { deadline }, resolve),
  )
}

describe('an operator', () => {
  const deadline = () => ({ deadline: Date.now() + 3_000 })

  it('is told that a controller stands by', async () => {
    const error = await new Promise<ServiceError | null>((resolve) =>
      world
        .operatorClient(world.operator)
        .getStatus(create(OperatorService.method.getStatus.input), deadline(), resolve),
    )
    expect(error?.code).toBe(status.UNAVAILABLE)
  })

  it('is told nothing about a defect but that there is one', async () => {
    const error = await syncCode(world.operator)
    expect(error?.code).toBe(status.INTERNAL)
    expect(error?.details).not.toContain('secret')
  })

  it('gets the reason of a refusal', async () => {
    const request = create(OperatorService.method.pauseRollout.input, { target: 'none' })
    const error = await new Promise<ServiceError | null>((resolve) =>
      world.operatorClient(world.operator).pauseRollout(request, deadline(), resolve),
    )
    expect([error?.code, error?.details]).toEqual([status.NOT_FOUND, 'no such fleet'])
  })

  it('cannot enrol a host under a name that is none', async () => {
    const certificateRequestPem = generateKeyPairSync('ed25519')
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    const request = create(OperatorService.method.enrolHost.input, { certificateRequestPem, name: '../etc' })
    const error = await new Promise<ServiceError | null>((resolve) =>
      world.operatorClient(world.operator).enrolHost(request, deadline(), resolve),
    )
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
  })

  it('is refused a watch beyond the bound', async () => {
    const stream = world
      .operatorClient(world.operator)
      .watchStatus(create(OperatorService.method.watchStatus.input), {})
    stream.on('data', () => undefined)
    const error = await new Promise<ServiceError>((resolve) =>
      stream.on('error', (e) => resolve(e as ServiceError)),
    )
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
  })
})
