import { X509Certificate, generateKeyPairSync } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { createUser } from '@nats-io/nkeys'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { EnrolHostResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { openChain } from '../../proto/trust-chain.ts'
import { call } from '../support/controller.ts'
import type { Controller } from '../support/controller.ts'
import { openSmallFleet, statusOf } from '../support/small-fleet.ts'

const COUNT = 1_000
const AT_ONCE = 8

/**
 * From a host's new keys to the certificate that it holds and has judged: through the real controller over mutual
 * TLS, with each enrolment synced to the disk of a real NATS server before it is answered.
 */
export async function measureEnrolments(): Promise<{ readonly count: number; readonly seconds: number }> {
  const world = await openSmallFleet()
  try {
    await statusOf(world.controller)
    let begun = 0
    const enrolOnes = async (): Promise<void> => {
      while (begun < COUNT) {
        begun += 1
        await enrol(world.controller, `host-${begun}`)
      }
    }
    const startMs = performance.now()
    await Promise.all(Array.from({ length: AT_ONCE }, () => enrolOnes()))
    return { count: COUNT, seconds: (performance.now() - startMs) / 1000 }
  } finally {
    await world.stop()
  }
}

async function enrol({ operator }: Controller, name: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const request = create(EnrolHostRequestSchema, {
    name,
    certificateRequestPem: createCertificateRequest(privateKey, name),
    natsUserPublicKey: createUser().getPublicKey(),
  })
  const { certificatePem, trustBundles } = await call<EnrolHostResponse>((done) =>
    operator.enrolHost(request, { deadline: Date.now() + 60_000 }, done),
  )
  const isOurs = new X509Certificate(certificatePem).checkPrivateKey(privateKey)
  if (!isOurs || openChain(trustBundles).kind !== 'opened') throw new Error(`${name} got what it cannot use`)
}
