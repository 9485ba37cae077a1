import { generateKeyPairSync } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import type { KeyAndCertificate } from '../../trust/certificate-authority.ts'

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

function answerTo(
  ask: (done: (error: ServiceError | null) => void) => unknown,
): Promise<ServiceError | null> {
  return new Promise((resolve) => ask(resolve))
}

describe('an operator', () => {
  const deadline = () => ({ deadline: Date.now() + 60_000 })

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
    world.snapshot = snapshotOfFleets(['edge'])
    const request = create(OperatorService.method.pauseRollout.input, { target: 'edge', reason: 'lunch' })
    const error = await new Promise<ServiceError | null>((resolve) =>
      world.operatorClient(world.operator).pauseRollout(request, deadline(), resolve),
    )
    expect([error?.code, error?.details]).toEqual([status.NOT_FOUND, 'no such fleet'])
  })

  it('must say why it stops, overrides or shuts out, also without our command line', async () => {
    world.snapshot = snapshotOfFleets(['edge'])
    const client = world.operatorClient(world.operator)
    const reason = ' \n'
    const rollout = { target: 'edge', reason }
    const { method } = OperatorService
    const found = await Promise.all([
      answerTo((done) => client.pauseRollout(create(method.pauseRollout.input, rollout), deadline(), done)),
      answerTo((done) =>
        client.promoteRollout(create(method.promoteRollout.input, rollout), deadline(), done),
      ),
      answerTo((done) => client.abortRollout(create(method.abortRollout.input, rollout), deadline(), done)),
      answerTo((done) =>
        client.rollBackRollout(create(method.rollBackRollout.input, rollout), deadline(), done),
      ),
      answerTo((done) =>
        client.revokeHost(create(method.revokeHost.input, { host: 'edge-1', reason }), deadline(), done),
      ),
    ])
    const told = 'it says no reason, and whoever finds it needs one; give one'
    expect(found.map((error) => [error?.code, error?.details])).toEqual(
      ['pausing edge', 'promoting edge', 'aborting edge', 'rolling back edge', 'revoking host edge-1'].map(
        (doing) => [status.INVALID_ARGUMENT, `${doing}: ${told}`],
      ),
    )
    const resumed = await answerTo((done) =>
      client.resumeRollout(create(method.resumeRollout.input, rollout), deadline(), done),
    )
    expect(resumed?.details).toBe('no such fleet')
  })

  it('cannot enrol a host under a name that is none', async () => {
    const certificateRequestPem = generateKeyPairSync('ed25519')
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    world.snapshot = snapshotOfFleets(['edge'])
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
