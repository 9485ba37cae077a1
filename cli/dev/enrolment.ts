import { X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { CHAIN_FILE, chainText } from '../../trust/chain-file.ts'
import { call } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { natsUserKeyOf, writeIssued } from '../enrolment-files.ts'
import { CliError } from '../errors.ts'
import type { HostLayout } from './layout.ts'
import { writeWhole } from './state-file.ts'

const requestTimeoutMs = 60_000
/** A certificate with less than this left is replaced when dev starts. */
const leastLeftMs = 12 * 3_600_000

/** Gives a host its certificate, as an operator would: the agent made the key and keeps it. */
export async function enrol(
  host: HostLayout,
  {
    client,
    labels,
    signal,
  }: {
    readonly client: OperatorClient
    readonly labels: Readonly<Record<string, string>>
    readonly signal: AbortSignal
  },
): Promise<void> {
  await mkdir(host.identity, { recursive: true, mode: 0o700 })
  if (await isEnrolled(host)) return
  const certificateRequestPem = await waitForFile(join(host.identity, 'request.csr'), signal)
  const natsUserPublicKey = await natsUserKeyOf(host.identity)
  const wanted = { certificateRequestPem, name: host.name, labels, natsUserPublicKey }
  const request = create(EnrolHostRequestSchema, wanted)
  const answer = await untilAnswered(() => call(client, client.service.enrolHost, request), signal)
  await writeWhole(join(host.identity, CHAIN_FILE), chainText(answer.trustBundles))
  await writeIssued(host.identity, answer)
}

/** Asked twice is answered the same: the host is known by its key. */
async function untilAnswered<Answer>(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  const deadlineMs = performance.now() + requestTimeoutMs
  for (;;) {
    signal.throwIfAborted()
    try {
      return await ask()
    } catch (error) {
      const isAway = error instanceof CliError && error.code === 'ControllerUnreachable'
      if (!isAway || performance.now() > deadlineMs) throw error
    }
    await sleep(200, undefined, { signal })
  }
}

async function isEnrolled(host: HostLayout): Promise<boolean> {
  const pem = await readFile(join(host.identity, 'certificate.pem'), 'utf8').catch(() => null)
  return pem !== null && Date.parse(new X509Certificate(pem).validTo) - Date.now() > leastLeftMs
}

async function waitForFile(path: string, signal: AbortSignal): Promise<string> {
  const deadlineMs = performance.now() + requestTimeoutMs
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted()
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.includes('-----END')) return text
    await sleep(50, undefined, { signal })
  }
  throw new CliError('TimedOut', `waited ${requestTimeoutMs / 1000} s for ${path}; see the agent's log`)
}
