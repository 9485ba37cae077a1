import { openAuditLog } from './audit/audit-log.ts'
import type { AuditLog } from './audit/audit-log.ts'
import { openNoticed } from './audit/noticed.ts'
import type { Noticed } from './audit/noticed.ts'
import { createChangeFeed } from './change-feed.ts'
import type { EngineLoop } from './engine-loop.ts'
import { ControllerError } from './errors.ts'
import { openLeading, runLeading } from './leading.ts'
import type { Leading } from './leading.ts'
import type { ControllerOptions } from './options.ts'
import { watchPki } from './pki/watch-pki.ts'
import { createPresence } from './presence.ts'
import { startListeners } from './listeners.ts'
import { openStateDirectory, readTerm, writeTerm } from './state-directory.ts'
import { runLeadership } from './store/leadership.ts'

const WATCH_INTERVAL_MS = 200
const WATCHES_MAX = 64

/** Serves and, while it holds the lease, decides. Resolves after `signal` aborted and everything is closed. */
export async function runController(options: ControllerOptions): Promise<void> {
  const { config, pki, logger } = options
  const directory = await openStateDirectory(config.stateDir)
  try {
    const audit = await openAuditLog({ stateDir: config.stateDir, directorKey: pki.directorKey, logger })
    try {
      await serveAndLead(options, directory.holder, audit)
    } finally {
      await audit.close()
    }
  } finally {
    await directory.close()
  }
}

async function serveAndLead(options: ControllerOptions, holder: string, audit: AuditLog): Promise<void> {
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
  const noticed = openNoticed(audit, logger, () => current?.term ?? 0)
  const parts = { leading, engineNow, presence, feed, audit: noticed }
  const server = await startListeners(options, parts, () => current?.sources ?? null)
  options.onSyncSignal(() => void current?.sources.sync())

  async function lead(term: number, held: AbortSignal): Promise<void> {
    onNewerTerm(term)
    await keepTerm(options, term)
    const stop = new AbortController()
    const ending = AbortSignal.any([held, stop.signal])
    current = openLeading(options, { term, signal: ending, presence, changed: feed.changed, onNewerTerm })
    noticed.note('Leading', `this controller leads, term ${term}`)
    server.setServing(true)
    try {
      await runLeading(current, () => stop.abort())
    } finally {
      server.setServing(false)
      noticed.note('LeadingEnded', `this controller leads no more, term ${term}`)
      current = null
      feed.changed()
    }
  }

  // Before hosts have the bundle too, plans should carry what it asks for.
  const onBundle = (): void => current?.sources.wakeImages()
  const watching = watchFiles(options, noticed, { onChange: server.reloadTls, onBundle })
  try {
    const termFloor = (): number => newestTerm
    const register = noticed.leaseOf(store.lease, termFloor)
    await runLeadership({ register, holder, logger, termFloor, lead, signal })
  } finally {
    feed.close()
    await server.close()
    await watching
  }
}

/** Best effort: it matters only should the store be lost. */
async function keepTerm({ config, logger }: ControllerOptions, term: number): Promise<void> {
  await writeTerm(config.stateDir, term).catch((error: unknown) => {
    logger.warn({ error: String(error) }, 'term not kept')
  })
}

async function watchFiles(
  { pki, trustFile, roles, logger, signal }: ControllerOptions,
  { note }: Noticed,
  { onBundle, onChange }: { readonly onBundle: () => void; readonly onChange: () => void },
): Promise<void> {
  const onTrust = (number: number): void => {
    note('TrustBundle', `trust bundle ${number} is in force`)
    onBundle()
  }
  const onRoles = (sha256: string): void => note('Roles', `roles of operators read anew, SHA-256 ${sha256}`)
  const { authorities } = trustFile
  const certificates = watchPki({ pki, authorities, onChange, logger, signal })
  await Promise.all([trustFile.watch(signal, onTrust), roles.watch(signal, onRoles), certificates])
}
