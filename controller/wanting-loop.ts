import type { Logger } from 'pino'
import { attempt } from './attempt.ts'
import { formatImageReference, splitRepository } from './desired-state/image-reference.ts'
import type { DesiredState, Freeze, HostDeclaration } from './desired-state/types.ts'
import type { Registry } from './followed-images.ts'
import type { ReleaseRole } from '../proto/release-role.ts'
import type { ImageTrust } from './image-trust.ts'
import { readImageMemory, writeImageMemory } from './image-memory.ts'
import { ownValue } from './known-images.ts'
import type { ImageMemory } from './known-images.ts'
import { PollLoop } from './poll-loop.ts'
import type { WantedFleet } from './rollout/wanted.ts'
import { nextPollDelayMs } from './sources/poll-schedule.ts'
import { resolveFleets } from './wanted-fleets.ts'
import type { FleetNote, Resolution } from './wanted-fleets.ts'

/** The whole of what is in force, as the engine is told. */
export type Wanted = {
  readonly commit: string
  readonly fleets: readonly WantedFleet[]
  readonly hosts: readonly HostDeclaration[]
  readonly freezes: readonly Freeze[]
}

export type InForce = {
  readonly desiredState: DesiredState
  /** Of the first source. */
  readonly commit: string
  /** Of each fleet's source, by name of fleet. */
  readonly commits: ReadonlyMap<string, string>
}

export type WantingLoopOptions = {
  readonly registry: Registry
  readonly trust: ImageTrust
  /** Whose signature hosts ask for now. Default: nobody's. */
  readonly release?: () => ReleaseRole | null
  readonly stateDir: string
  readonly term: number
  readonly intervalMs: number
  readonly logger: Logger
  /** Of the enrolment of the host with this name; null: there is none. */
  readonly labelsOf: (host: string) => Readonly<Record<string, string>> | null
  /** Null: nothing is wanted yet. */
  readonly inForce: () => InForce | null
  readonly want: (wanted: Wanted) => Promise<void>
  readonly onChange: () => void
}

const BACKOFF_MAX_MS = 5 * 60_000
const NOTHING = { errors: [], unverified: [], waiting: [], retryAfterMs: undefined } as const

/** Finds the images of what is in force, and tells the engine when anything about it is new. */
export class WantingLoop {
  readonly #options: WantingLoopOptions
  readonly #loop: PollLoop
  #memory: ImageMemory = { images: {}, sightings: {}, named: {}, verified: {}, proofs: {} }
  #lastWanted = ''
  #failuresInARow = 0
  #notes: Pick<Resolution, 'errors' | 'unverified' | 'waiting' | 'retryAfterMs'> = NOTHING
  #trouble = ''

  constructor(options: WantingLoopOptions) {
    this.#options = options
    this.#loop = new PollLoop((_, signal) => this.#turn(signal))
  }

  get errors(): readonly FleetNote[] {
    const { errors, unverified } = this.#notes
    const said = new Set(errors.map(({ fleet, message }) => `${fleet} ${message}`))
    return [...errors, ...unverified.filter(({ fleet, message }) => !said.has(`${fleet} ${message}`))]
  }

  get waiting(): readonly FleetNote[] {
    return this.#notes.waiting
  }

  /** What keeps all fleets from being wanted; empty when nothing does. */
  get trouble(): string {
    return this.#trouble
  }

  /** Whether a fleet follows a tag or a range of this repository, named without its registry. */
  follows(repository: string): boolean {
    const fleets = this.#options.inForce()?.desiredState.fleets ?? []
    return fleets.some(
      ({ image }) =>
        (image.kind === 'tag' || image.kind === 'semver') &&
        splitRepository(image.repository).path === repository,
    )
  }

  /** Under which tags images were found. */
  get tags(): readonly { readonly digest: string; readonly tag: string }[] {
    const { images, sightings } = this.#memory
    const fleets = this.#options.inForce()?.desiredState.fleets ?? []
    const followed = fleets.flatMap(({ name, image }) => {
      const found = image.kind === 'tag' ? ownValue(images, name) : undefined
      return image.kind === 'tag' && found?.reference === formatImageReference(image)
        ? [{ digest: found.image.digest, tag: image.tag }]
        : []
    })
    return [...followed, ...Object.values(sightings).flat()]
  }

  sync(): Promise<void> {
    return this.#loop.sync()
  }

  wake(): void {
    this.#loop.wake()
  }

  /** To be called once, before run. */
  async recover(): Promise<void> {
    const { stateDir, term, logger } = this.#options
    this.#memory = await readImageMemory(stateDir, term)
    // Should it not be written, only the restart after this one would miss it.
    await writeImageMemory(stateDir, term, this.#memory).catch((error: unknown) =>
      logger.warn({ error: String(error) }, 'not kept'),
    )
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal)
  }

  /**
   * A registry that fails is asked less and less often, while sources are followed as ever. A signature that is
   * missing is no failure of it: it may come at any time.
   */
  async #turn(signal: AbortSignal): Promise<number> {
    const { logger, onChange, intervalMs } = this.#options
    const before = JSON.stringify([this.#trouble, this.errors])
    const { error } = await attempt(() => this.#want(signal))
    this.#trouble = error
    const failed = error !== '' || this.#notes.errors.length > 0
    this.#failuresInARow = failed ? this.#failuresInARow + 1 : 0
    const { errors } = this
    if ((error !== '' || errors.length > 0) && JSON.stringify([error, errors]) !== before) {
      logger.warn({ error, fleets: errors }, 'images not read')
    }
    onChange()
    const { retryAfterMs } = this.#notes
    const history = { failuresInARow: this.#failuresInARow, retryAfterMs }
    return nextPollDelayMs({ intervalMs, maxBackoffMs: BACKOFF_MAX_MS }, history, Math.random())
  }

  async #want(signal: AbortSignal): Promise<void> {
    const { registry, trust, release = () => null, inForce, want, stateDir, term, labelsOf } = this.#options
    const now = inForce()
    if (now === null) return
    const { desiredState, commit, commits } = now
    const resolving = { registry, trust, release: release(), nowMs: Date.now(), signal, labelsOf }
    const { memory, fleets, ...notes } = await resolveFleets(desiredState, this.#memory, resolving)
    this.#notes = notes
    // Kept before it is wanted: a restart that knew less would want the image from before.
    if (JSON.stringify(memory) !== JSON.stringify(this.#memory))
      await writeImageMemory(stateDir, term, memory)
    this.#memory = memory
    const { hosts, freezes } = desiredState
    const withCommits = fleets.map((fleet) => ({ ...fleet, commit: commits.get(fleet.name) ?? commit }))
    const wanted: Wanted = { commit, fleets: withCommits, hosts, freezes }
    const written = JSON.stringify(wanted)
    if (written === this.#lastWanted) return
    await want(wanted)
    this.#lastWanted = written
  }
}
