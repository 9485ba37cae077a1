import { connect } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { credentials, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { expect, onTestFinished, test } from 'vitest'
import {
  ComeBackResponseSchema,
  EnrolRequestSchema,
  EnrolResponseSchema,
  JoinService,
} from '../../proto/gen/bootfleet/v1/join_pb.ts'
import type { EnrolResponse } from '../../proto/gen/bootfleet/v1/join_pb.ts'
import { GetStatusRequestSchema, OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { Handlers } from '../../proto/grpc.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'
import { startJoinServer } from './join-server.ts'

async function open(): Promise<{ address: string; ca: Buffer }> {
  const authority = await openAuthority(await createAuthority())
  const { keyPem, certificatePem } = await authority.issueServer({ dns: [], ip: [] })
  const handlers: Handlers<typeof JoinService> = {
    comeBack: (_call, done) => done(null, create(ComeBackResponseSchema)),
    enrol: (call, done) => done(null, create(EnrolResponseSchema, { hostId: call.request.hostName })),
  }
  const server = await startJoinServer({
    listen: '127.0.0.1:0',
    tls: () => ({ keyPem, certificatePem: certificatePem + authority.certificatePem }),
    services: [{ service: JoinService, handlers }],
  })
  onTestFinished(() => server.close())
  return { address: server.address, ca: Buffer.from(authority.certificatePem) }
}

const inTime = (): { deadline: number } => ({ deadline: Date.now() + 60_000 })

test('a caller without a certificate reaches what is served for joining, and nothing of operators', async () => {
  const { address, ca } = await open()
  const target = { address, credentials: credentials.createSsl(ca) }
  const joining = createClient(JoinService, target)
  const operating = createClient(OperatorService, target)
  onTestFinished(() => {
    joining.close()
    operating.close()
  })
  const answer = await new Promise<EnrolResponse | undefined>((resolve) =>
    joining.enrol(create(EnrolRequestSchema, { hostName: 'till-1' }), inTime(), (_, given) => resolve(given)),
  )
  expect(answer?.hostId).toBe('till-1')
  const refused = await new Promise<ServiceError | null>((resolve) =>
    operating.getStatus(create(GetStatusRequestSchema), inTime(), resolve),
  )
  expect(refused?.code).toBe(status.UNIMPLEMENTED)
})

test('a request that is larger than any token needs is not read to its end', async () => {
  const { address, ca } = await open()
  const client = createClient(JoinService, { address, credentials: credentials.createSsl(ca) })
  onTestFinished(() => client.close())
  const request = create(EnrolRequestSchema, { tokenSecret: new Uint8Array(40 * 1024) })
  const refused = await new Promise<ServiceError | null>((resolve) =>
    client.enrol(request, inTime(), resolve),
  )
  expect(refused?.code).toBe(status.RESOURCE_EXHAUSTED)
})

test('TLS 1.2 is refused', async () => {
  const { address, ca } = await open()
  const port = Number(address.split(':')[1])
  const failed = await new Promise<Error>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca, maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] })
    socket.once('secureConnect', () => reject(new Error('TLS 1.2 was taken')))
    socket.once('error', resolve)
  })
  expect(failed.message).toMatch(/protocol/i)
})
