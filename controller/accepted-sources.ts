import type { Logger } from 'pino'
import { readAcceptedCommits, writeAcceptedCommits } from './accepted-commits.ts'
import type { DesiredState } from './desired-state/types.ts'
import { mergeSources } from './merge-sources.ts'
import type { Candidate, Commit, Merge } from './merge-sources.ts'
import { NO_PROVENANCE, provenanceAfter, signerOf } from './provenance.ts'
import type { Provenance } from './provenance.ts'
import type { UntrustedCommit } from './sources/untrusted-commit.ts'
import type { Anchor } from './sources/verified.ts'

/** What is known of one source's commits. */
export type SourceCommits = {
  readonly headCommit: string
  readonly acceptedCommit: string
  readonly acceptedSubject: string
  /** Who signed the accepted commit, with the key's fingerprint; empty where commits are not verified. */
  readonly acceptedSigner: string
  readonly rejection: { readonly commit: string; readonly issues: readonly string[] } | null
}

export type AcceptedSourcesOptions = {
  readonly names: readonly string[]
  readonly stateDir: string
  readonly term: number
  readonly logger: Logger
  /** Why what would be in force must not come into force; null: it may. */
  readonly refuse: (desiredState: DesiredState) => Promise<string | null>
  /** After something else came into force, and was kept. */
  readonly onAccepted: () => void
}

/** Which commit of each source is in force, and what they say together. */
export class AcceptedSources {
  readonly #options: AcceptedSourcesOptions
  #candidates: readonly Candidate[]
  #rejected: Merge['rejected'] = new Map()
  /** Not to be trusted, or well formed but not to come into force as things are. */
  readonly #refused = new Map<string, { readonly commit: string; readonly issues: readonly string[] }>()
  #desiredState: DesiredState | null = null
  #provenance: Provenance = NO_PROVENANCE
  readonly #seen = new Map<string, string>()
  #last: Promise<void> = Promise.resolve()

  constructor(options: AcceptedSourcesOptions) {
    this.#options = options
    this.#candidates = options.names.map((name) => ({ name, accepted: null, head: null }))
  }

  /** Null until there is something of every source. */
  get desiredState(): DesiredState | null {
    return this.#desiredState
  }

  /** The sources without which nothing is done: those never read, else those of which nothing can be taken. */
  get missing(): readonly string[] {
    const none = this.#candidates.filter(({ accepted }) => accepted === null)
    const unread = none.filter(({ head }) => head === null)
    return (unread.length > 0 ? unread : none).map(({ name }) => name)
  }

  commitsOf(name: string): SourceCommits {
    const { accepted = null, head = null } = this.#candidates.find((each) => each.name === name) ?? {}
    const issues = this.#rejected.get(name)
    const rejected = head === null || issues === undefined ? null : { commit: head.commit, issues }
    return {
      headCommit: this.#seen.get(name) ?? '',
      acceptedCommit: accepted?.commit ?? '',
      acceptedSubject: accepted?.subject ?? '',
      acceptedSigner: accepted?.verified === undefined ? '' : this.signerOf(accepted.commit),
      rejection: this.#refused.get(name) ?? rejected,
    }
  }

  /** Null where nothing was verified yet. */
  anchorOf(name: string): Anchor | null {
    return this.#provenance.anchors[name] ?? null
  }

  /** Of a commit accepted not too long ago; empty where nobody verified it. */
  signerOf(commit: string): string {
    return signerOf(this.#provenance, commit)
  }

  /** What was accepted stays in force. */
  distrust(name: string, { commit, message }: UntrustedCommit): void {
    if (this.#refused.get(name)?.issues[0] !== message) {
      this.#options.logger.warn({ source: name, commit, refusal: message }, 'commit not trusted')
    }
    this.#seen.set(name, commit)
    this.#refused.set(name, { commit, issues: [message] })
  }

  /** Only right after our own term: another leader may have accepted something newer since. */
  async recover(): Promise<void> {
    const { stateDir, term, logger } = this.#options
    const stored = await readAcceptedCommits(stateDir)
    if (stored === null) return
    // However old: what comes must descend from it in any case.
    this.#provenance = stored
    if (stored.term !== term - 1) return
    const kept = new Map(Object.entries(stored.sources))
    // A source that is new in the configuration must not make the others forget what they had.
    const known = this.#candidates.flatMap(({ name }) => {
      const head = kept.get(name)
      return head === undefined ? [] : [{ name, accepted: null, head }]
    })
    const merge = mergeSources(known)
    // They hold already; should they not be written, only the restart after this one would miss them.
    await this.#write(merge.accepted).catch((error: unknown) =>
      logger.warn({ error: String(error) }, 'not kept'),
    )
    if (known.length === this.#candidates.length) this.#desiredState = merge.desiredState
    this.#candidates = this.#candidates.map(({ name }) => ({
      name,
      accepted: merge.accepted.get(name) ?? null,
      head: null,
    }))
  }

  /** Resolves when it is kept and in force, or refused. One after the other: each is judged beside the others. */
  take(name: string, head: Commit): Promise<void> {
    const taken = this.#last.then(() => this.#take(name, head))
    this.#last = taken.catch(() => undefined)
    return taken
  }

  async #take(name: string, head: Commit): Promise<void> {
    this.#seen.set(name, head.commit)
    if (this.#refused.get(name)?.commit !== head.commit) this.#refused.delete(name)
    if (this.#candidates.find((each) => each.name === name)?.head?.commit === head.commit) return
    const candidates = this.#candidates.map((each) => (each.name === name ? { ...each, head } : each))
    const merge = mergeSources(candidates)
    const changed = candidates.filter(
      (each) => merge.accepted.get(each.name)?.commit !== each.accepted?.commit,
    )
    if (changed.length > 0 && (await this.#isRefused(name, head, merge))) return
    this.#refused.delete(name)
    // Kept before it is in force. Where it cannot be kept, the next poll takes it for new and tries again.
    if (changed.length > 0) await this.#write(merge.accepted)
    this.#candidates = candidates.map((each) => ({
      ...each,
      accepted: merge.accepted.get(each.name) ?? null,
    }))
    this.#rejected = merge.rejected
    this.#desiredState = merge.desiredState
    this.#tell(name, head, changed)
  }

  /** Judged anew at each poll: hosts may have moved since, and other sources must not wait for it. */
  async #isRefused(name: string, head: Commit, { desiredState }: Merge): Promise<boolean> {
    const { logger, refuse } = this.#options
    const refusal = desiredState === null ? null : await refuse(desiredState)
    if (refusal === null) return false
    if (this.#refused.get(name)?.commit !== head.commit) {
      logger.warn({ source: name, commit: head.commit, refusal }, 'commit refused')
    }
    this.#refused.set(name, { commit: head.commit, issues: [refusal] })
    return true
  }

  #tell(name: string, head: Commit, changed: readonly Candidate[]): void {
    const { logger, onAccepted } = this.#options
    for (const each of changed) {
      const { acceptedCommit: commit } = this.commitsOf(each.name)
      logger.info({ source: each.name, commit }, 'commit accepted')
    }
    const issues = this.#rejected.get(name)
    if (issues !== undefined) {
      logger.warn({ source: name, commit: head.commit, issues: issues.length }, 'commit rejected')
    }
    if (changed.length > 0) onAccepted()
  }

  async #write(accepted: Merge['accepted']): Promise<void> {
    const { stateDir, term } = this.#options
    const provenance = provenanceAfter(this.#provenance, accepted)
    await writeAcceptedCommits(stateDir, { term, sources: Object.fromEntries(accepted), ...provenance })
    this.#provenance = provenance
  }
}
