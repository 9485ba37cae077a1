import type { DeploymentRecord, ImageRecord } from '../ledger.ts'

export type GcFacts = {
  deployments: readonly DeploymentRecord[]
  images: readonly ImageRecord[]
  /** Ids of deployments and images that something points to, with the words for it. */
  held: ReadonlyMap<string, string>
  /** Images that a pull of this boot was about. */
  beingPulled: ReadonlySet<string>
  /** What runs and what would be booted instead of it. */
  current: string | null
  fallback: string | null
}

export type GcOptions = {
  /** So many of the images that came last stay, deployed or not. */
  keepImages: number
  /** Whether copies that no deploy made may go too. */
  copies: 'keep' | 'remove'
}

export type Removal = { id: string; reason: string }
export type GcSelection = {
  deployments: readonly Removal[]
  images: readonly Removal[]
  kept: readonly Removal[]
}

/** What may go and what stays, each with its reason; what is known to be bad stands first. */
export function select(facts: GcFacts, options: GcOptions): GcSelection {
  const verdicts = facts.deployments.map((record) => ({ record, ...judgeDeployment(record, facts, options) }))
  const kept = verdicts.filter((verdict) => verdict.stays)
  const used = new Set(kept.map(({ record }) => record.imageId))
  const newest = new Set(newestImages(facts.images, options.keepImages))
  const images = facts.images.map((image) => ({ image, ...judgeImage(image, facts, { used, newest }) }))
  return {
    deployments: verdicts
      .filter((verdict) => !verdict.stays)
      .toSorted((a, b) => removalOrder(a.record) - removalOrder(b.record))
      .map(({ record, reason }) => ({ id: record.id, reason })),
    images: images
      .filter((verdict) => !verdict.stays)
      .map(({ image, reason }) => ({ id: image.imageId, reason })),
    kept: [
      ...kept.map(({ record, reason }) => ({ id: record.id, reason })),
      ...images
        .filter((verdict) => verdict.stays)
        .map(({ image, reason }) => ({ id: image.imageId, reason })),
    ],
  }
}

type Verdict = { stays: boolean; reason: string }
const stays = (reason: string): Verdict => ({ stays: true, reason })
const goes = (reason: string): Verdict => ({ stays: false, reason })

function judgeDeployment(record: DeploymentRecord, facts: GcFacts, options: GcOptions): Verdict {
  const held = facts.held.get(record.id)
  if (held !== undefined) return stays(held)
  if (record.pinned) return stays('it is pinned')
  if (record.bad !== null) return goes(`it is bad: ${record.bad}`)
  if (record.id === queued(facts.deployments)?.id) return stays('it waits to be activated')
  if (record.id === unprovenFallback(facts)?.id)
    return stays('it ran before, and nothing else has proven itself')
  // A copy that no deploy made gets no activation without a loader; that it ran is known by its proof.
  if (record.activation !== null || record.blessedAt !== null) return goes('another took its place')
  if (record.stagedAt !== null) return goes('it was never activated, and a newer one waits')
  return options.copies === 'keep'
    ? stays('no deploy made it; --copies takes it too')
    : goes('no deploy made it')
}

/** Of several that were never activated only the last is still wanted by anyone. */
function queued(deployments: readonly DeploymentRecord[]): DeploymentRecord | undefined {
  return deployments
    .filter((record) => record.stagedAt !== null && record.activation === null && record.bad === null)
    .toSorted((a, b) => (a.stagedAt ?? '').localeCompare(b.stagedAt ?? ''))
    .at(-1)
}

/** On a machine where nobody blesses, the one before is still the way back. */
function unprovenFallback(facts: GcFacts): DeploymentRecord | undefined {
  if (facts.fallback !== null) return undefined
  return facts.deployments
    .filter((record) => record.activation !== null && record.bad === null && record.id !== facts.current)
    .toSorted((a, b) => (a.activation ?? 0) - (b.activation ?? 0))
    .at(-1)
}

function removalOrder(record: DeploymentRecord): number {
  return record.bad === null ? 1 + (record.activation ?? 0) : 0
}

type ImageUse = { used: ReadonlySet<string>; newest: ReadonlySet<string> }

function judgeImage({ imageId, readyAt }: ImageRecord, facts: GcFacts, { used, newest }: ImageUse): Verdict {
  const held = facts.held.get(imageId)
  if (held !== undefined) return stays(held)
  if (used.has(imageId)) return stays('a deployment that stays is made of it')
  if (facts.beingPulled.has(imageId)) return stays('its pull is not done')
  if (newest.has(imageId)) return stays('it is one of the newest')
  return goes(
    readyAt === null ? 'its pull did not end, or nobody used it' : 'no deployment that stays is made of it',
  )
}

function newestImages(images: readonly ImageRecord[], count: number): string[] {
  return images
    .filter((image) => image.readyAt !== null)
    .toSorted((a, b) => (b.readyAt ?? '').localeCompare(a.readyAt ?? ''))
    .slice(0, count)
    .map((image) => image.imageId)
}
