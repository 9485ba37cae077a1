import type { EngineLoop } from './engine-loop.ts'
import { enrolHost } from './enrolment.ts'
import { ControllerError } from './errors.ts'
import type { AgentBackend } from './grpc/agent-service.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import type { Presence } from './presence.ts'
import { findRollout, requireEffect } from './rollout-target.ts'

type BackendContext = { readonly leading: () => Leading; readonly presence: Presence }

export function agentBackend({
  leading,
  presence,
  changed,
  engineNow,
}: BackendContext & {
  readonly changed: () => void
  readonly engineNow: () => EngineLoop | null
}): AgentBackend {
  return {
    isEnrolled: (hostId) => leading().engine.enrolment(hostId) !== null,
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

export function operatorBackend({
  options,
  leading,
  presence,
}: BackendContext & { readonly options: ControllerOptions }): Omit<OperatorBackend, 'listen'> {
  const { store, pki, config, signal } = options
  return {
    snapshot() {
      const { engine, source, term } = leading()
      if (engine.state === null) {
        throw new ControllerError('NotLeader', 'answering: the store is still being read; try again')
      }
      return { state: engine.state, source: source.state, term, nowMs: Date.now(), presenceOf: presence.get }
    },
    sync: () => leading().source.sync(),
    async control({ kind, target, actor, reason }) {
      const { engine } = leading()
      const { state } = this.snapshot()
      const rolloutId = findRollout(state, target)
      requireEffect(state, { kind, rolloutId })
      await engine.submit({ kind, rolloutId, actor, reason })
      return { rolloutId }
    },
    async enrol(request) {
      const { engine } = leading()
      const { record, certificatePem } = await enrolHost(
        {
          enrolments: () => engine.enrolments(),
          issueHost: pki.authority.issueHost,
          store: (enrolment) => store.enrol(enrolment, signal),
        },
        request,
        { lifetimeMs: config.pki.hostCertificateLife, nowMs: Date.now() },
      )
      await engine.submit({ kind: 'enrolled', enrolment: record })
      return { hostId: record.hostId, certificatePem, certificateAuthorityPem: pki.authority.certificatePem }
    },
  }
}
