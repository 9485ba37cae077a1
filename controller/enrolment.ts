import { ControllerError } from './errors.ts'
import type { EnrolmentRecord } from './rollout/records.ts'

export type HostRegistry = {
  readonly enrolments: () => readonly EnrolmentRecord[]
  issueHost(
    certificateRequestPem: string,
    lifetimeMs: number,
  ): Promise<{ readonly hostId: string; readonly certificatePem: string }>
  natsUserFor(hostId: string, publicUserKey: string, nowMs: number): Promise<string>
  store(record: EnrolmentRecord): Promise<void>
}

export type EnrolmentRequest = {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly natsUserPublicKey: string
  /** How long it may take the host to come, where that is longer than a certificate lives; 0: it is there. */
  readonly joinWithinMs: number
}

export type Enrolled = {
  readonly record: EnrolmentRecord
  readonly certificatePem: string
  readonly natsUserJwt: string
}

/**
 * A host that is known by its key gets a new certificate under the id it has, and its name and labels as given.
 * @throws ControllerError Conflict when the name belongs to another key.
 */
export async function enrolHost(
  registry: HostRegistry,
  request: EnrolmentRequest,
  options: { readonly lifetimeMs: number; readonly nowMs: number },
): Promise<Enrolled> {
  const { hostId, certificatePem } = await registry.issueHost(
    request.certificateRequestPem,
    Math.max(options.lifetimeMs, request.joinWithinMs),
  )
  const { name, labels } = request
  const record = recordOf(registry.enrolments(), { hostId, name, labels }, options.nowMs)
  const natsUserJwt = await registry.natsUserFor(hostId, request.natsUserPublicKey, options.nowMs)
  await registry.store(record)
  return { record, certificatePem, natsUserJwt }
}

/** @throws ControllerError Conflict when the name belongs to another key. */
export function recordOf(
  enrolments: readonly EnrolmentRecord[],
  { hostId, name, labels }: Pick<EnrolmentRecord, 'hostId' | 'name' | 'labels'>,
  nowMs: number,
): EnrolmentRecord {
  const holder = enrolments.find((record) => record.name === name && record.hostId !== hostId)
  if (holder !== undefined) {
    throw new ControllerError(
      'Conflict',
      `enrolling a host: the name ${name} belongs to host ${holder.hostId} with another key; take another name`,
    )
  }
  const known = enrolments.find((record) => record.hostId === hostId)
  return { hostId, name, labels, enrolledAtMs: known?.enrolledAtMs ?? nowMs }
}
