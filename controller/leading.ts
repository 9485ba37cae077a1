import { CatalogLoop } from './catalog-loop.ts'
import { runCommitStatus } from './commit-status-loop.ts'
import { verdictsOf } from './commit-verdicts.ts'
import { EngineLoop } from './engine-loop.ts'
import { createMeasuring } from './measuring.ts'
import { createStatusClient } from './forges/commit-status.ts'
import type { CommitStatus } from './forges/commit-status.ts'
import { openPublisher } from './plans/publisher.ts'
import type { ControllerOptions } from './options.ts'
import type { Presence } from './presence.ts'
import { refusePermits } from './permits.ts'
import { refuseRemoval } from './rollout/engine.ts'
import { openSource } from './open-sources.ts'
import { imagesToKnow } from './rollout/estate.ts'
import { describeFleets } from './rollout/fleet-views.ts'
import { SourcesLoop } from './sources-loop.ts'

/** One term of leadership. */
export type Leading = {
  readonly term: number
  readonly engine: EngineLoop
  readonly sources: SourcesLoop
  readonly catalog: CatalogLoop
  /** Resolves after the term. */
  readonly tellForges: () => Promise<void>
  readonly signal: AbortSignal
}

export function openLeading(
  { config, pki, store, revocations, registry, trust, trustFile, measurer, logger }: ControllerOptions,
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
  const measuring = createMeasuring({
    measure: measurer.measure,
    submit: (event) => engine.submit(event),
    logger,
    signal,
  })
  const engine = new EngineLoop({
    store,
    openPublisher: (opening) =>
      openPublisher({ log: store.plans, directorKey, maxBytes, logger, signal: opening }),
    term,
    logger,
    onChange: changed,
    onMeasures: measuring.want,
    onNewerTerm,
    connectedHosts: presence.connectedHosts,
    trusted: revocations.applied,
  })
  const sources = new SourcesLoop({
    sources: config.sources.map((source) => openSource(source, config.stateDir)),
    registry,
    trust,
    release: trustFile.release,
    stateDir: config.stateDir,
    term,
    logger,
    async want(wanted) {
      await engine.submit({ kind: 'wanted', ...wanted })
      catalog.wake()
    },
    labelsOf: (host) => engine.enrolments().find(({ name }) => name === host)?.labels ?? null,
    refuse: async (desiredState) =>
      refusePermits(desiredState, Date.now()) ?? refuseRemoval(await engine.opened(signal), desiredState),
    onChange: changed,
  })
  const catalog = new CatalogLoop({
    stateDir: config.stateDir,
    contents: (repository, digest, asking) => registry.contents(repository, digest, asking),
    images: () => (engine.state === null ? null : imagesToKnow(engine.state)),
    tags: () => sources.tags,
    logger,
  })
  const tellForges = (): Promise<void> => tellForgesOf({ config, logger }, { engine, sources, signal })
  return { term, engine, sources, catalog, tellForges, signal }
}

/** Each source that wants it has its commits marked, at its own pace: a forge that is slow delays nothing else. */
async function tellForgesOf(
  { config, logger }: Pick<ControllerOptions, 'config' | 'logger'>,
  { engine, sources, signal }: Pick<Leading, 'engine' | 'sources' | 'signal'>,
): Promise<void> {
  const client = createStatusClient()
  const told = config.sources.map(async (source) => {
    if (source.kind !== 'git' || source.commitStatus === undefined) return
    const verdicts = (): readonly CommitStatus[] => {
      const state = sources.states.find(({ name }) => name === source.name)
      if (state === undefined || engine.state === null) return []
      const names = sources.fleetsOf(source.name)
      const fleets = describeFleets(engine.state, { wallMs: Date.now(), elapsedMs: 0 })
      return verdictsOf(
        state,
        fleets.filter(({ name }) => names.has(name)),
      )
    }
    await runCommitStatus({ target: source.commitStatus, verdicts, client, logger }, signal)
  })
  await Promise.all(told)
  await client.close()
}

/** Runs both halves. Whichever ends first ends the other: half a leader decides on half the truth. */
export async function runLeading(leading: Leading, stop: () => void): Promise<void> {
  const { engine, sources, catalog, tellForges, signal } = leading
  const parts = [engine.run(signal), sources.run(signal)].map((part) => part.finally(stop))
  const results = await Promise.allSettled([...parts, catalog.run(signal), tellForges()])
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
