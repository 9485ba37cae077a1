import { ControllerError } from './errors.ts'
import type { EnrolmentRecord } from './rollout/types.ts'

export type HostRegistry = {
  readonly enrolments: () => readonly EnrolmentRecord[]
  issueHost(
    certificateRequestPem: string,
    lifetimeMs: number,
  ): Promise<{ readonly hostId: string; readonly certificatePem: string }>
  store(record: EnrolmentRecord): Promise<void>
}

export type EnrolmentRequest = {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export type Enrolled = { readonly record: EnrolmentRecord; readonly certificatePem: string }

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
    options.lifetimeMs,
  )
  const { name, labels } = request
  const enrolments = registry.enrolments()
  const holder = enrolments.find((record) => record.name === name && record.hostId !== hostId)
  if (holder !== undefined) {
    throw new ControllerError(
      'Conflict',
      `enrolling a host: the name ${name} belongs to host ${holder.hostId} with another key; take another name`,
    )
  }
  const known = enrolments.find((record) => record.hostId === hostId)
  const record = { hostId, name, labels, enrolledAtMs: known?.enrolledAtMs ?? options.nowMs }
  await registry.store(record)
  return { record, certificatePem }
}
