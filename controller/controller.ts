import { join } from 'node:path'
import type { Logger } from 'pino'
import { createChangeFeed } from './change-feed.ts'
import type { Config } from './config.ts'
import { EngineLoop } from './engine-loop.ts'
import { enrolHost } from './enrolment.ts'
import { ControllerError } from './errors.ts'
import { createAgentService } from './grpc/agent-service.ts'
import type { AgentBackend } from './grpc/agent-service.ts'
import { createOperatorService } from './grpc/operator-service.ts'
import type { OperatorBackend } from './grpc/operator-service.ts'
import { startGrpcServer } from './grpc/server.ts'
import type { RegistryClient } from './images/registry-client.ts'
import type { Pki } from './pki/pki-directory.ts'
import { openPublisher } from './plans/publisher.ts'
import { createPresence } from './presence.ts'
import type { Presence } from './presence.ts'
import { findRollout, requireEffect } from './rollout-target.ts'
import { SourceLoop } from './source-loop.ts'
import { createGitSource } from './sources/git.ts'
import { withoutCredentials } from './sources/git-url.ts'
import { openStateDirectory, writeAddress } from './state-directory.ts'
import { runLeadership } from './store/leadership.ts'
import type { Store } from './store/store.ts'

export type ControllerOptions = {
  readonly config: Config
  readonly pki: Pki
  readonly store: Store
  readonly registry: RegistryClient
  readonly logger: Logger
  /** Given what polls the source at once. */
  readonly onSyncSignal: (sync: () => void) => void
  readonly signal: AbortSignal
}

/** One term of leadership. */
type Leading = {
  readonly term: number
  readonly engine: EngineLoop
  readonly source: SourceLoop
  readonly signal: AbortSignal
}

const WATCH_INTERVAL_MS = 200
const WATCHES_MAX = 64

/** Serves and, while it holds the lease, decides. Resolves after `signal` aborted and everything is closed. */
export async function runController(options: ControllerOptions): Promise<void> {
  const directory = await openStateDirectory(options.config.stateDir)
  try {
    await serveAndLead(options, directory.holder)
  } finally {
    await directory.close()
  }
}

async function serveAndLead(options: ControllerOptions, holder: string): Promise<void> {
  const { config, pki, store, logger, signal } = options
  const presence = createPresence(Date.now)
  const feed = createChangeFeed({ intervalMs: WATCH_INTERVAL_MS, listenersMax: WATCHES_MAX })
  let current: Leading | null = null

  const leading = (): Leading => {
    if (current !== null && !current.signal.aborted) return current
    throw new ControllerError(
      'NotLeader',
      'answering: this controller stands by and another leads; try again',
    )
  }
  const server = await startGrpcServer({
    listen: config.grpc.listen,
    tls: { certificateAuthorityPem: pki.authority.certificatePem, ...pki.server },
    agentService: createAgentService(agentBackend({ leading, presence, changed: feed.changed }), logger),
    operatorService: createOperatorService(
      { ...operatorBackend({ options, leading, presence }), listen: feed.listen },
      logger,
    ),
  })
  await writeAddress(config.stateDir, server.address)
  logger.info({ address: server.address }, 'listening')
  options.onSyncSignal(() => void current?.source.sync())

  async function lead(term: number, held: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const ending = AbortSignal.any([held, stop.signal])
    current = openLeading(options, { term, signal: ending, presence, changed: feed.changed })
    server.setServing(true)
    try {
      // Whichever ends first ends the other: half a leader decides on half the truth.
      const parts = [current.engine.run(ending), current.source.run(ending)]
      const results = await Promise.allSettled(parts.map((part) => part.finally(() => stop.abort())))
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    } finally {
      server.setServing(false)
      current = null
      feed.changed()
    }
  }

  try {
    await runLeadership({ register: store.lease, holder, logger, lead, signal })
  } finally {
    feed.close()
    await server.close()
  }
}

function openLeading(
  { config, pki, store, registry, logger }: ControllerOptions,
  shared: {
    readonly term: number
    readonly signal: AbortSignal
    readonly presence: Presence
    readonly changed: () => void
  },
): Leading {
  const { term, signal, presence, changed } = shared
  const { directorKey } = pki
  const maxBytes = config.limits.downloadMaxBytes
  const engine = new EngineLoop({
    store,
    openPublisher: (opening) =>
      openPublisher({ log: store.plans, directorKey, maxBytes, logger, signal: opening }),
    term,
    logger,
    onChange: changed,
    connectedHosts: presence.connectedHosts,
  })
  const { url, branch, path, pollInterval } = config.git
  const source = new SourceLoop({
    source: createGitSource({ url, branch, path, mirrorDir: join(config.stateDir, 'git') }),
    images: registry,
    stateDir: config.stateDir,
    term,
    url: withoutCredentials(url),
    branch,
    pollIntervalMs: pollInterval,
    logger,
    want: (commit, fleets) => engine.submit({ kind: 'wanted', commit, fleets }),
    onChange: changed,
  })
  return { term, engine, source, signal }
}

type BackendContext = { readonly leading: () => Leading; readonly presence: Presence }

function agentBackend({
  leading,
  presence,
  changed,
}: BackendContext & { readonly changed: () => void }): AgentBackend {
  return {
    isEnrolled: (hostId) => leading().engine.enrolment(hostId) !== null,
    attach(hostId) {
      const { engine, signal } = leading()
      const connection = (connected: boolean): void => {
        // Told again whenever the engine is opened anew, so a failure here is repaired there.
        engine.submit({ kind: 'connection', hostId, connected }).catch(() => undefined)
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

function operatorBackend({
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
