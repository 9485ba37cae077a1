import type { Logger } from 'pino'
import { AcceptedSources } from './accepted-sources.ts'
import type { SourceCommits } from './accepted-sources.ts'
import type { DesiredState } from './desired-state/types.ts'
import type { Registry } from './followed-images.ts'
import type { ReleaseRole } from '../proto/release-role.ts'
import type { ImageTrust } from './image-trust.ts'
import { sourceOf } from './merge-sources.ts'
import { SourceLoop } from './source-loop.ts'
import type { PollState, Source } from './source-loop.ts'
import { WantingLoop } from './wanting-loop.ts'
import type { InForce, Wanted } from './wanting-loop.ts'

/** What status says about one source. */
export type SourceState = SourceCommits &
  PollState & {
    readonly name: string
    readonly url: string
    readonly branch: string
    /** What its fleets wait for before they take something newer. */
    readonly waiting: readonly string[]
  }

export type SourcesLoopOptions = {
  /** At least one; names are distinct. */
  readonly sources: readonly Source[]
  readonly registry: Registry
  readonly trust: ImageTrust
  /** Whose signature hosts ask for now. Default: nobody's. */
  readonly release?: () => ReleaseRole | null
  readonly stateDir: string
  readonly term: number
  readonly logger: Logger
  readonly want: (wanted: Wanted) => Promise<void>
  /** Of the enrolment of the host with this name; null: there is none. */
  readonly labelsOf: (host: string) => Readonly<Record<string, string>> | null
  /** Why what would be in force must not come into force; null: it may. */
  readonly refuse: (desiredState: DesiredState) => Promise<string | null>
  readonly onChange: () => void
}

/**
 * Follows all sources at once: a commit of each is taken whole or not at all, and what they say together is wanted
 * with its tags resolved anew at each interval.
 */
export class SourcesLoop {
  readonly #sources: readonly Source[]
  readonly #loops: readonly SourceLoop[]
  readonly #accepted: AcceptedSources
  readonly #wanting: WantingLoop

  constructor(options: SourcesLoopOptions) {
    const { sources, registry, trust, stateDir, term, logger, want, labelsOf, refuse, onChange } = options
    this.#sources = sources
    const names = sources.map(({ name }) => name)
    const onAccepted = (): void => this.#wanting.wake()
    this.#accepted = new AcceptedSources({ names, stateDir, term, logger, refuse, onAccepted })
    const take = this.#accepted.take.bind(this.#accepted)
    const distrust = this.#accepted.distrust.bind(this.#accepted)
    const anchorOf = this.#accepted.anchorOf.bind(this.#accepted)
    const judging = { take, distrust, anchorOf }
    this.#loops = sources.map((source) => new SourceLoop({ source, ...judging, logger, onChange }))
    const intervalMs = Math.min(...sources.map(({ pollIntervalMs }) => pollIntervalMs))
    const inForce = (): InForce | null => this.#inForce()
    const { release = () => null } = options
    const shared = { registry, trust, release, stateDir, term, logger, want, labelsOf, onChange }
    this.#wanting = new WantingLoop({ ...shared, intervalMs, inForce })
  }

  /** In the order of the configuration. */
  get states(): readonly SourceState[] {
    const { desiredState } = this.#accepted
    const fleets = desiredState?.fleets ?? []
    const names = this.#sources.map(({ name }) => name)
    const sourceOfFleet = new Map(fleets.map((fleet) => [fleet.name, sourceOf(fleet, names)]))
    const { errors, waiting, trouble } = this.#wanting
    return this.#sources.map(({ name, url, branch }, index) => {
      const poll = this.#loops[index]?.state ?? { error: '', lastPolledAtMs: 0, nextPollAtMs: 0 }
      const ofThis = ({ fleet }: { readonly fleet: string }): boolean => sourceOfFleet.get(fleet) === name
      const sentences = (notes: typeof errors): readonly string[] =>
        notes.filter(ofThis).map(({ fleet, message }) => `fleet ${fleet}: ${message}`)
      const error = [poll.error, trouble, ...sentences(errors), this.#missing(name)]
      const unique = [...new Set(error.filter((sentence) => sentence !== ''))]
      return {
        name,
        url,
        branch,
        ...this.#accepted.commitsOf(name),
        ...poll,
        error: unique.join('\n'),
        waiting: sentences(waiting),
      }
    })
  }

  /** Names of the fleets that the source's accepted commit declares. */
  fleetsOf(name: string): ReadonlySet<string> {
    const names = this.#sources.map((source) => source.name)
    const fleets = this.#accepted.desiredState?.fleets ?? []
    return new Set(fleets.filter((fleet) => sourceOf(fleet, names) === name).map((fleet) => fleet.name))
  }

  /** Of a commit accepted not too long ago; empty where nobody verified it. */
  signerOf(commit: string): string {
    return this.#accepted.signerOf(commit)
  }

  /** Polls every source and resolves every tag; resolves after polls that began no earlier than this call. */
  async sync(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.sync()))
    await this.#wanting.sync()
  }

  /** Polls one source soon; what it says is found by the poll and never by who asks for it. */
  wake(name: string): void {
    this.#loops[this.#sources.findIndex((source) => source.name === name)]?.wake()
  }

  /** Resolves tags soon. */
  wakeImages(): void {
    this.#wanting.wake()
  }

  /** Whether a fleet follows a tag or a range of this repository, named without its registry. */
  follows(repository: string): boolean {
    return this.#wanting.follows(repository)
  }

  /** Under which tags images were found. */
  get tags(): readonly { readonly digest: string; readonly tag: string }[] {
    return this.#wanting.tags
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#accepted.recover()
    await this.#wanting.recover()
    // One that fails fails all: half of the sources must not be followed by who believes that all are.
    const stop = new AbortController()
    const ending = AbortSignal.any([signal, stop.signal])
    const parts = [...this.#loops, this.#wanting].map((loop) => loop.run(ending))
    const results = await Promise.allSettled(parts.map((part) => part.finally(() => stop.abort())))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #inForce(): InForce | null {
    const { desiredState } = this.#accepted
    if (desiredState === null) return null
    const names = this.#sources.map(({ name }) => name)
    const commitOf = (name: string): string => this.#accepted.commitsOf(name).acceptedCommit
    const commits = desiredState.fleets.map(
      (fleet) => [fleet.name, commitOf(sourceOf(fleet, names))] as const,
    )
    return { desiredState, commit: commitOf(names[0] ?? ''), commits: new Map(commits) }
  }

  /** Said of a source that is well itself. */
  #missing(name: string): string {
    const { missing } = this.#accepted
    if (missing.length === 0 || missing.includes(name)) return ''
    const others = missing.map((other) => JSON.stringify(other)).join(', ')
    return `nothing is done until there is an accepted commit of source ${others} too: a freeze or a hold may be there`
  }
}
