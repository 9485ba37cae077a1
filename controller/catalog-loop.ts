import type { Logger } from 'pino'
import { attempt } from './attempt.ts'
import { openImageCatalog } from './image-catalog.ts'
import type { CatalogEntry, ImageCatalog } from './image-catalog.ts'
import type { ImagePlatform } from './images/image-contents.ts'
import { PollLoop } from './poll-loop.ts'

export type CatalogLoopOptions = {
  readonly stateDir: string
  readonly contents: (
    repository: string,
    digest: string,
    signal: AbortSignal,
  ) => Promise<readonly ImagePlatform[]>
  /** Of every image that matters now, its repository by its digest; null: not known yet. */
  readonly images: () => ReadonlyMap<string, string> | null
  readonly tags: () => readonly { readonly digest: string; readonly tag: string }[]
  readonly logger: Logger
}

const INTERVAL_MS = 60_000
/** Until the engine has read its records and what is wanted. */
const FIRST_INTERVAL_MS = 1_000
/** A registry is left to the rollouts in between. */
const ASKED_AT_ONCE = 16

/** Learns what images consist of, behind everything else: no rollout waits for it, and its failures are only told. */
export class CatalogLoop {
  readonly #options: CatalogLoopOptions
  readonly #loop: PollLoop
  #catalog: ImageCatalog | null = null

  constructor(options: CatalogLoopOptions) {
    this.#options = options
    this.#loop = new PollLoop((_, signal) => this.#turn(signal))
  }

  entryOf(digest: string): CatalogEntry | null {
    return this.#catalog?.entryOf(digest) ?? null
  }

  /** Something may be new. */
  wake(): void {
    this.#loop.wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#catalog = await openImageCatalog(this.#options.stateDir)
    await this.#loop.run(signal)
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const images = this.#options.images()
    const catalog = this.#catalog
    if (images === null || catalog === null) return FIRST_INTERVAL_MS
    catalog.see(images, Date.now())
    catalog.seeTags(this.#options.tags())
    const missing = catalog.missing(Date.now())
    for (const image of missing.slice(0, ASKED_AT_ONCE)) await this.#ask(catalog, image, signal)
    const { error } = await attempt(() => catalog.keep())
    if (error !== '') this.#options.logger.warn({ error }, 'catalog of images not kept')
    return missing.length > ASKED_AT_ONCE ? FIRST_INTERVAL_MS : INTERVAL_MS
  }

  async #ask(
    catalog: ImageCatalog,
    { digest, repository }: { readonly digest: string; readonly repository: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { error } = await attempt(async () => {
      catalog.know(digest, await this.#options.contents(repository, digest, signal))
    })
    if (error !== '') catalog.fail(digest, { message: error, nowMs: Date.now() })
  }
}
