import { join } from 'node:path'
import { EngineLoop } from './engine-loop.ts'
import { openPublisher } from './plans/publisher.ts'
import type { ControllerOptions } from './options.ts'
import type { Presence } from './presence.ts'
import { SourceLoop } from './source-loop.ts'
import { createGitSource } from './sources/git.ts'
import { withoutCredentials } from './sources/git-url.ts'

/** One term of leadership. */
export type Leading = {
  readonly term: number
  readonly engine: EngineLoop
  readonly source: SourceLoop
  readonly signal: AbortSignal
}

export function openLeading(
  { config, pki, store, registry, logger }: ControllerOptions,
  shared: {
    readonly term: number
    readonly signal: AbortSignal
    readonly presence: Presence
    readonly changed: () => void
    readonly onNewerTerm: (term: number) => void
  },
): Leading {
  const { term, signal, presence, changed, onNewerTerm } = shared
  const { directorKey } = pki
  const maxBytes = config.limits.downloadMaxBytes
  const engine = new EngineLoop({
    store,
    openPublisher: (opening) =>
      openPublisher({ log: store.plans, directorKey, maxBytes, logger, signal: opening }),
    term,
    logger,
    onChange: changed,
    onNewerTerm,
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

/** Runs both halves. Whichever ends first ends the other: half a leader decides on half the truth. */
export async function runLeading({ engine, source, signal }: Leading, stop: () => void): Promise<void> {
  const parts = [engine.run(signal), source.run(signal)]
  const results = await Promise.allSettled(parts.map((part) => part.finally(stop)))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
