/** A number of hosts, or a share of them; rounding belongs to the rule that uses it (see `sizeOf`). */
export type Amount =
  { readonly kind: 'count'; readonly count: number } | { readonly kind: 'percent'; readonly percent: number }

export type LabelExpression = {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

export type Selector =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'match'
      readonly labels: Readonly<Record<string, string>>
      readonly expressions: readonly LabelExpression[]
    }

export type ImageReference =
  | { readonly kind: 'digest'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'tag'; readonly repository: string; readonly tag: string }

/** `upTo` is the cumulative share of the fleet that is reached when the wave ends. */
export type Wave = { readonly name: string; readonly upTo: Amount; readonly soakMs: number }

export type OnFailure = 'Pause' | 'Rollback'

/** More than `max` of the attempted hosts failing stops the rollout, once `minAttempted` were attempted. */
export type FailureLimit = { readonly max: Amount; readonly minAttempted: number }

export type Deadlines = {
  readonly downloadMs: number
  readonly activateMs: number
  readonly healthMs: number
  readonly waveMs: number
}

export type Health = { readonly checks: readonly string[]; readonly stableForMs: number }

export type Strategy = {
  readonly name: string
  readonly waves: readonly Wave[]
  readonly maxUnavailable: Amount
  readonly failureLimit: { readonly firstWave: FailureLimit; readonly later: FailureLimit }
  readonly onFailure: { readonly firstWave: OnFailure; readonly later: OnFailure }
  readonly deadlines: Deadlines
  readonly health: Health
}

export type Fleet = {
  readonly name: string
  readonly selector: Selector
  readonly image: ImageReference
  readonly strategy: Strategy
  readonly suspend: boolean
  readonly declaredAt: { readonly path: string; readonly line: number }
}

/** Sorted by name; strategies are already resolved and every default is written out. */
export type DesiredState = { readonly fleets: readonly Fleet[] }

export type SourceFile = { readonly path: string; readonly text: string }

/** `line` and `column` count from 1, as an editor does. */
export type Issue = {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly message: string
  readonly suggestion: string | null
  readonly frame: string
}

export type ParseResult =
  | { readonly ok: true; readonly desiredState: DesiredState }
  | { readonly ok: false; readonly issues: readonly Issue[] }
