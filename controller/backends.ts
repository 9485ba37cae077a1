import type { EngineLoop } from './engine-loop.ts'
import { stateOf } from './engine-state.ts'
import { ControllerError } from './errors.ts'
import type { Admission, AgentBackend } from './grpc/agent-service.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import type { HostEnrolments } from './host-enrolments.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import { lastOrder } from './orders/last-order.ts'
import type { Order, Ordered } from './orders/order.ts'
import { issueOperator } from './operators/issue.ts'
import { planOrder } from './orders/plan.ts'
import type { Presence } from './presence.ts'
import type { EnrolmentRecord } from './rollout/records.ts'

type BackendContext = { readonly leading: () => Leading; readonly presence: Presence }

export function agentBackend({
  leading,
  presence,
  changed,
  engineNow,
  options,
}: BackendContext & {
  readonly changed: () => void
  readonly options: Pick<ControllerOptions, 'trustFile' | 'pki' | 'natsUserFor' | 'config'>
  readonly engineNow: () => EngineLoop | null
}): AgentBackend {
  const { trustFile, pki, natsUserFor, config } = options
  return {
    admissionOf: (hostId) => admissionOf(leading().engine.enrolment(hostId)),
    trustAfter: trustFile.after,
    async renew(hostId, { certificateRequestPem, natsUserPublicKey }) {
      const host = { hostId, lifetimeMs: config.pki.hostCertificateLife }
      return {
        certificatePem: await pki.authority.reissueHost(certificateRequestPem, host),
        natsUserJwt: await natsUserFor(hostId, natsUserPublicKey, Date.now()),
      }
    },
    attach(hostId) {
      const { engine, signal } = leading()
      const connection = (connected: boolean): void => {
        // Told again whenever the engine is opened anew, so a failure here is repaired there. The engine of a
        // later term must hear that this stream ended: it was told of the stream when it was opened.
        engineNow()
          ?.submit({ kind: 'connection', hostId, connected })
          .catch(() => undefined)
      }
      const requireLease = (): void => {
        if (signal.aborted)
          throw new ControllerError('NotLeader', 'taking a report: this controller stopped leading')
      }
      presence.connected(hostId)
      connection(true)
      return {
        async report(report) {
          requireLease()
          await engine.submit({ kind: 'report', hostId, report })
        },
        progress(bytes) {
          presence.progress(hostId, bytes)
          changed()
        },
        seen() {
          requireLease()
          presence.seen(hostId)
        },
        detach() {
          presence.disconnected(hostId)
          connection(false)
        },
      }
    },
  }
}

function admissionOf(enrolment: EnrolmentRecord | null): Admission {
  if (enrolment === null) return 'Unknown'
  return enrolment.revoked === undefined ? 'Enrolled' : 'Revoked'
}

export function operatorBackend({
  options,
  leading,
  presence,
  audit,
  hostEnrolments,
  tokens,
}: BackendContext & {
  readonly options: ControllerOptions
  readonly audit: OperatorBackend['audit']
  readonly hostEnrolments: HostEnrolments
  readonly tokens: OperatorBackend['tokens']
}): Omit<OperatorBackend, 'listen' | 'webPort'> {
  return {
    tokens,
    roles: options.roles,
    audit,
    issueOperator: (request) => issueOperator(options.pki.authority, request),
    snapshot() {
      const { engine, sources, catalog, term } = leading()
      return {
        state: stateOf(engine),
        sources: sources.states,
        term,
        nowMs: Date.now(),
        presenceOf: presence.get,
        signerOf: (commit) => sources.signerOf(commit),
        imageEntryOf: (digest) => catalog.entryOf(digest),
      }
    },
    sync: () => leading().sources.sync(),
    order: (order) => carryOut(leading().engine, order),
    enrol: hostEnrolments.enrol,
    revoke: hostEnrolments.revoke,
  }
}

async function carryOut(engine: EngineLoop, order: Order): Promise<Ordered> {
  const { event, ...planned } = planOrder(stateOf(engine), order)
  if (event === null) return { ...planned, changed: false }
  const before = lastOrder(stateOf(engine), event)
  await engine.submit(event)
  // Something else may have come first: what changed nothing must not be taken for done.
  if (lastOrder(stateOf(engine), event) === before) {
    throw new ControllerError(
      'RequestInvalid',
      `${order.kind}: it has changed by now; look at its status, and try again`,
    )
  }
  return { ...planned, changed: true }
}
