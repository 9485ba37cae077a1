import { enrolHost, recordOf } from './enrolment.ts'
import { stateOf } from './engine-state.ts'
import type { EnrolmentRequest } from './enrolment.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import { retiredName } from './joins/replacing.ts'
import type { Retiring } from './joins/replacing.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import { revokeHost } from './revoke.ts'
import type { RevocationOrder, Revoked } from './revoke.ts'
import type { EnrolmentRecord } from './rollout/records.ts'
import { openTurns } from './turns.ts'

/** Who belongs to the deployment: what people decide about hosts, one decision at a time. */
export type HostEnrolments = {
  readonly enrol: OperatorBackend['enrol']
  /** A host that a person or a token let in; it gets its certificate when it asks. @throws ControllerError Conflict. */
  readonly admit: (host: Pick<EnrolmentRecord, 'hostId' | 'name' | 'labels'>) => Promise<void>
  readonly revoke: (order: RevocationOrder) => Promise<Revoked>
  readonly retire: Retiring
}

export function openHostEnrolments(options: ControllerOptions, leading: () => Leading): HostEnrolments {
  const inTurn = openTurns()
  const { store, pki, natsUserFor, trustFile, revocations, config, signal } = options
  const keep = (record: EnrolmentRecord): Promise<void> => store.enrol(record, signal)

  async function enrol(request: EnrolmentRequest): ReturnType<OperatorBackend['enrol']> {
    const { engine } = leading()
    const registry = {
      enrolments: () => engine.enrolments(),
      issueHost: pki.authority.issueHost,
      natsUserFor,
      store: keep,
    }
    const times = { lifetimeMs: config.pki.hostCertificateLife, nowMs: Date.now() }
    const { record, certificatePem, natsUserJwt } = await enrolHost(registry, request, times)
    await takeIn(record, times.nowMs)
    return {
      hostId: record.hostId,
      certificatePem,
      certificateAuthorityPem: pki.authority.certificatePem,
      trustBundles: [...trustFile.after(0)],
      natsUserJwt,
    }
  }

  async function takeIn(record: EnrolmentRecord, nowMs: number): Promise<void> {
    const { engine } = leading()
    const wasRevoked = engine.enrolment(record.hostId)?.revoked !== undefined
    if (wasRevoked) await revocations.keep(record.hostId, null, nowMs)
    await engine.submit({ kind: 'enrolled', enrolment: record })
  }

  async function admit(host: Parameters<HostEnrolments['admit']>[0]): Promise<void> {
    const nowMs = Date.now()
    const record = recordOf(leading().engine.enrolments(), host, nowMs)
    await keep(record)
    await takeIn(record, nowMs)
  }

  function revoke(order: RevocationOrder): Promise<Revoked> {
    const { engine } = leading()
    return revokeHost(order, {
      state: stateOf(engine),
      revocations,
      store: keep,
      takeIn: (enrolment) => engine.submit({ kind: 'enrolled', enrolment }),
      nowMs: Date.now(),
    })
  }

  return {
    enrol: (request) => inTurn(() => enrol(request)),
    admit: (host) => inTurn(() => admit(host)),
    revoke: (order) => inTurn(() => revoke(order)),
    retire: (order) => inTurn(() => retireHost(order, { engine: leading().engine, revoke, store: keep })),
  }
}

type RetiringParts = {
  readonly engine: Leading['engine']
  readonly revoke: (order: RevocationOrder) => Promise<Revoked>
  readonly store: (record: EnrolmentRecord) => Promise<void>
}

async function retireHost(
  { replaced, actor, reason }: Parameters<Retiring>[0],
  { engine, revoke, store }: RetiringParts,
): Promise<void> {
  const { hostId, name } = replaced
  if (engine.enrolment(hostId) === undefined) return
  await revoke({ host: hostId, actor, reason })
  const record = engine.enrolment(hostId)
  if (record?.name !== name) return
  const enrolment = { ...record, name: retiredName(replaced) }
  await store(enrolment)
  await engine.submit({ kind: 'enrolled', enrolment })
}
