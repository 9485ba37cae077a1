import type { Denial, Fleet, ImageVerification, Selector, Strategy } from '../desired-state/types.ts'

/** As a plan carries it to a host, which verifies it; of no meaning here. */
export type ReleaseSignature =
  | { readonly kind: 'simple-signing'; readonly payload: string; readonly signature: string }
  | { readonly kind: 'bundle'; readonly bundle: string }

/** An image after the registry answered: digests only from here on. */
export type ResolvedImage = {
  readonly repository: string
  /** What git or the tag named. */
  readonly digest: string
  /** For people, and for barriers and downgrades; empty when the image says none. */
  readonly version: string
  /** Manifest digest by OCI architecture (amd64, arm64). */
  readonly manifests: Readonly<Record<string, string>>
  /** By the release keys that hosts ask for; absent: they ask for none. */
  readonly signatures?: readonly ReleaseSignature[]
}

/** As approvers signed it; of its content only what says which plans it belongs to. */
export type WantedPermit = {
  readonly repository: string
  /** Ids; null: all hosts of the fleet. */
  readonly hosts: readonly string[] | null
  readonly image:
    | { readonly kind: 'Digest'; readonly digest: string }
    | { readonly kind: 'LowestVersion'; readonly version: string }
  readonly envelope: string
}

/** One fleet as an accepted commit wants it. */
export type WantedFleet = {
  readonly name: string
  readonly selector: Selector
  readonly strategy: Strategy
  readonly suspend: boolean
  /** Of the source that declares it, where there are several; else the event's. */
  readonly commit?: string
  /** SHA-256 (hex) of what hosts are told; see canonicalRevisionInput. Empty while `image` is null. */
  readonly revision: string
  /**
   * Null in a commit whose fleet follows another one: the engine finds it. Also while `unverified` is there and no
   * image is known that has the signature asked for.
   */
  readonly image: ResolvedImage | null
  /** Whose signature the image has; absent: none is asked for. */
  readonly verify?: ImageVerification
  /** Why what git names is not `image` yet: its signature is missing, or somebody else's. */
  readonly unverified?: string
  /** Whether hosts check the image before staging it; a change begins no rollout, and holds from a host's next plan. */
  readonly lint?: Fleet['lint']
  readonly follows: { readonly fleet: string; readonly succeededForMs: number } | null
  /** Images that hosts of this fleet are pinned to; a host is pinned by its name and a digest. */
  readonly pins: readonly ResolvedImage[]
  readonly requires: readonly ResolvedBarrier[]
  readonly downgrade: Fleet['downgrade']
  /** What lets a host take a lower version than it has proven; absent: nothing. */
  readonly permits?: readonly WantedPermit[]
  readonly deny: readonly Denial[]
}

/** Hosts whose version is below `below` must run `via` before anything newer. */
export type ResolvedBarrier = {
  readonly below: string
  readonly via: ResolvedImage
  readonly reason: string
}
