import { agentBackend, operatorBackend } from './backends.ts'
import { createChangeFeed } from './change-feed.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { EngineLoop } from './engine-loop.ts'
import { ControllerError } from './errors.ts'
import { createAgentService } from './grpc/agent-service.ts'
import { createOperatorService } from './grpc/operator-service.ts'
import { startGrpcServer } from './grpc/server.ts'
import type { GrpcServer } from './grpc/server.ts'
import { openLeading, runLeading } from './leading.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import { createPresence } from './presence.ts'
import type { Presence } from './presence.ts'
import { openStateDirectory, readTerm, writeAddress, writeTerm } from './state-directory.ts'
import { runLeadership } from './store/leadership.ts'

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
  const { config, store, logger, signal } = options
  const presence = createPresence(Date.now)
  const feed = createChangeFeed({ intervalMs: WATCH_INTERVAL_MS, listenersMax: WATCHES_MAX })
  let current: Leading | null = null
  let newestTerm = await readTerm(config.stateDir)
  const onNewerTerm = (term: number): void => {
    newestTerm = Math.max(newestTerm, term)
  }

  const leading = (): Leading => {
    if (current !== null && !current.signal.aborted) return current
    throw new ControllerError(
      'NotLeader',
      'answering: this controller stands by and another leads; try again',
    )
  }
  const engineNow = (): EngineLoop | null => current?.engine ?? null
  const server = await startServer(options, { leading, engineNow, presence, feed })
  await writeAddress(config.stateDir, server.address)
  logger.info({ address: server.address }, 'listening')
  options.onSyncSignal(() => void current?.source.sync())

  async function lead(term: number, held: AbortSignal): Promise<void> {
    onNewerTerm(term)
    // Best effort: it matters only should the store be lost.
    await writeTerm(config.stateDir, term).catch((error: unknown) => {
      logger.warn({ error: String(error) }, 'term not kept')
    })
    const stop = new AbortController()
    const ending = AbortSignal.any([held, stop.signal])
    current = openLeading(options, {
      term,
      signal: ending,
      presence,
      changed: feed.changed,
      onNewerTerm,
    })
    server.setServing(true)
    try {
      await runLeading(current, () => stop.abort())
    } finally {
      server.setServing(false)
      current = null
      feed.changed()
    }
  }

  try {
    const termFloor = (): number => newestTerm
    await runLeadership({ register: store.lease, holder, logger, termFloor, lead, signal })
  } finally {
    feed.close()
    await server.close()
  }
}

function startServer(
  options: ControllerOptions,
  parts: {
    readonly leading: () => Leading
    readonly engineNow: () => EngineLoop | null
    readonly presence: Presence
    readonly feed: ChangeFeed
  },
): Promise<GrpcServer> {
  const { config, pki, logger } = options
  const { leading, engineNow, presence, feed } = parts
  const agents = agentBackend({ leading, presence, changed: feed.changed, engineNow })
  const operators = { ...operatorBackend({ options, leading, presence }), listen: feed.listen }
  return startGrpcServer({
    listen: config.grpc.listen,
    tls: { certificateAuthorityPem: pki.authority.certificatePem, ...pki.server },
    agentService: createAgentService(agents, logger),
    operatorService: createOperatorService(operators, logger),
  })
}
