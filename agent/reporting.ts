import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import { credentialsOf, renewCertificates } from './credentials.ts'
import type { Identity } from './identity/identity.ts'
import type { HostTrust } from './identity/trust.ts'
import type { Credentials } from './report/channel.ts'
import { openReporter } from './report/reporter.ts'
import type { Reporter } from './report/reporter.ts'
import type { Sealing } from './sealing.ts'

export type ReportingOptions = {
  readonly config: AgentConfig
  readonly identity: Identity
  readonly sealing: Sealing
  readonly trust: HostTrust
  readonly log: Logger
  /** Default: 10 s. */
  readonly heartbeatMs?: number
  /** Called whenever the controller acknowledged something. */
  readonly onAnswer: () => void
  /** Called after another trust bundle counts. */
  readonly onTrusted: () => void
}

/** A host's line to the controller; both promises resolve when the signal has fired and all is closed. */
export type Reporting = {
  readonly credentials: () => Credentials
  readonly reporter: Reporter
  readonly closed: Promise<unknown>
}

/** Reports with a certificate that is kept renewed, to whom the newest trust bundle names. */
export function openReporting(options: ReportingOptions, signal: AbortSignal): Reporting {
  const { config, identity, sealing, trust, onAnswer, onTrusted, log } = options
  const credentials = credentialsOf({ identity, trust })
  // Until it has had its time to answer.
  let heardAtMs = Date.now()
  const offer = async (envelope: Uint8Array): Promise<void> => {
    const before = trust.authorities()
    const taken = await trust.offer(envelope)
    if (taken) onTrusted()
    if (taken && trust.authorities() !== before) reporter.reconnect()
  }
  const reporter = openReporter({
    ...config.controller,
    credentials,
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    onAnswer: () => {
      heardAtMs = Date.now()
      onAnswer()
    },
    trustNumber: trust.number,
    onTrust: (envelope) => void offer(envelope),
    log,
    signal,
  })
  const onRenewed = (): void => {
    reporter.reconnect()
    // The image that was on trial at the start may have been proven since.
    void sealing.settleQuietly()
  }
  const renewing = renewCertificates({
    config,
    identity,
    trust,
    credentials,
    offer,
    heardAtMs: () => heardAtMs,
    onRenewed,
    log,
    signal,
  })
  return { credentials, reporter, closed: Promise.all([reporter.closed, renewing]) }
}
