import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { openIdentity } from '../../../agent/identity/identity.ts'
import { EnrolHostRequestSchema } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { EnrolHostResponse } from '../../../proto/gen/bootfleet/v1/operator_pb.ts'
import { CHAIN_FILE, chainText } from '../../../trust/chain-file.ts'
import { call } from '../controller.ts'
import type { Controller } from '../controller.ts'

const timeoutMs = 60_000

/** Makes a host's identity where the installer takes it from; returns the host's id. */
export async function enrolHost(
  directory: string,
  { name, labels, controller }: { name: string; labels: Record<string, string>; controller: Controller },
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const signal = AbortSignal.timeout(timeoutMs)
  const opening = openIdentity({ directory, log: pino({ level: 'silent' }), signal, pollMs: 50 })
  const certificateRequestPem = await readRequest(join(directory, 'request.csr'), signal)
  const natsUserPublicKey = (await readFile(join(directory, 'nats.pub'), 'utf8')).trim()
  const request = create(EnrolHostRequestSchema, { name, labels, certificateRequestPem, natsUserPublicKey })
  const response = await call<EnrolHostResponse>((done) =>
    controller.operator.enrolHost(request, { deadline: Date.now() + 60_000 }, done),
  )
  await writeFile(join(directory, 'ca.pem'), response.certificateAuthorityPem)
  await writeFile(join(directory, CHAIN_FILE), chainText(response.trustBundles))
  await writeFile(join(directory, 'nats.jwt'), response.natsUserJwt)
  await writeFile(join(directory, 'certificate.pem'), response.certificatePem)
  return (await opening).hostId
}

async function readRequest(path: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    signal.throwIfAborted()
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.includes('END CERTIFICATE REQUEST')) return text
    await sleep(50)
  }
}
