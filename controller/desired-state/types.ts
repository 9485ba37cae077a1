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
  /** A digest found by following must have been pushed, or first seen, `minimumAgeMs` ago. */
  | { readonly kind: 'tag'; readonly repository: string; readonly tag: string; readonly minimumAgeMs: number }
  /** The newest version in `range`, as npm reads ranges; prereleases only where the range names one. */
  | {
      readonly kind: 'semver'
      readonly repository: string
      readonly range: string
      readonly minimumAgeMs: number
    }
  /** What another fleet's rollout succeeded with, at least `succeededForMs` ago. */
  | { readonly kind: 'fleet'; readonly fleet: string; readonly succeededForMs: number }

/** Who may sign releases of an image; any one of them suffices. At least one. */
export type ImageVerification = {
  readonly keys: readonly VerificationKey[]
  readonly signers: readonly VerificationSigner[]
}

export type VerificationKey =
  /** Of the same commit; `path` is relative to its source. */
  | { readonly kind: 'file'; readonly path: string; readonly pem: string }
  /** Of the controller's own configuration. */
  | { readonly kind: 'configured'; readonly name: string }

/** Somebody with a short-lived certificate; in a pattern `*` stands for anything. */
export type VerificationSigner = {
  readonly trustedRoot: string
  readonly issuer: string
  readonly subject: { readonly kind: 'exact' | 'pattern'; readonly value: string }
}

/** Hosts whose version is below `below` must run `digest` before anything newer. */
export type Barrier = { readonly below: string; readonly digest: string; readonly reason: string }

export type Denial = { readonly digest: string; readonly reason: string }

/** `approvers`: so many different people must. */
export type Approval = { readonly approvers: number; readonly expiresAfterMs: number }

/** `upTo` is the cumulative share of the fleet that is reached when the wave ends. */
export type Wave = {
  readonly name: string
  readonly upTo: Amount
  /** Only hosts with these labels; null: every host. */
  readonly selector: Selector | null
  readonly soakMs: number
  /** Percent of the attempted hosts that must have succeeded. */
  readonly successThresholdPercent: number
  /** A larger share of the wave left behind silent pauses the rollout. */
  readonly maxSkippedPercent: number
  readonly onEmpty: 'Block' | 'Skip'
  /** Null: no approval is asked for. Expiry pauses the rollout, it never lets it go on. */
  readonly approval: Approval | null
}

export type Comparison = { readonly operator: '<' | '<=' | '>' | '>=' | '==' | '!='; readonly value: number }

/** Where a measurement comes from; no address of Prometheus and no command is ever in git. */
export type AnalysisProvider =
  | { readonly kind: 'prometheus'; readonly query: string; readonly success: Comparison }
  /** A status from 200 to 299 is success, another one failure, no answer inconclusive. */
  | { readonly kind: 'http'; readonly url: string }
  /** A check of the controller's own configuration. */
  | { readonly kind: 'named'; readonly check: string }

export type Analysis = {
  readonly name: string
  readonly provider: AnalysisProvider
  readonly intervalMs: number
  /** More failed measurements than this fail the wave. */
  readonly failureLimit: number
}

export type Rate = { readonly basePerMinute: number; readonly factor: number; readonly maxPerMinute: number }

export type RollbackPolicy = {
  readonly scope: 'UpdatedHosts' | 'FailedOnly'
  readonly maxUnavailable: Amount
  readonly windows: 'Respect' | 'Ignore'
}

/** Of the hosts that share a value of the label, so many may be unavailable; a group of one may still move. */
export type TopologyBudget = { readonly topologyKey: string; readonly maxUnavailable: Amount }

export type Downloads = { readonly maxConcurrent: number; readonly prefetch: 'NextWave' | 'None' }

export type Weekday = 'Mon' | 'Tue' | 'Wed' | 'Thu' | 'Fri' | 'Sat' | 'Sun'

/** Recurs on the days it starts on, in local time of the zone; no Allow window at all means always. */
export type Window = {
  readonly kind: 'Allow' | 'Deny'
  readonly days: readonly Weekday[]
  /** Minutes after local midnight. */
  readonly startMinute: number
  readonly durationMs: number
  /** IANA name. */
  readonly timeZone: string
  readonly actions: readonly WindowAction[]
}
export type WindowAction = 'Download' | 'Activate'

export type Retry = {
  /** Attempts beyond the first of each step. */
  readonly limit: number
  readonly on: readonly ('Download' | 'Stage')[]
  readonly backoff: { readonly baseMs: number; readonly factor: number; readonly maxMs: number }
}

/** What an operator declares of one host, by its name. */
export type HostDeclaration = {
  readonly name: string
  /** Win over those of the enrolment. */
  readonly labels: Readonly<Record<string, string>>
  /** Digest that it runs instead of its fleet's. */
  readonly pin: string | null
  /** It may be updated although nothing would lead it back from an image that does not boot. */
  readonly allowUnguardedBoot?: true
  /** For its kernel's line, in their order; absent: none. */
  readonly kernelArguments?: readonly string[]
  /** `untilMs` null: until git says otherwise. */
  readonly hold: { readonly untilMs: number | null; readonly reason: string } | null
}

/** Between the two instants nothing is activated on the selected hosts, whatever windows say. */
export type Freeze = {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
  readonly selector: Selector
  /** Names of strategies that it does not hold. */
  readonly except: readonly string[]
}

export type OnFailure = 'Pause' | 'Rollback'

/** More than `max` of the attempted hosts failing stops the rollout, once `minAttempted` were attempted. */
export type FailureLimit = { readonly max: Amount; readonly minAttempted: number }

export type Deadlines = {
  readonly downloadMs: number
  readonly activateMs: number
  readonly healthMs: number
  readonly waveMs: number
}

/** What a booted image must show before it counts as healthy. */
export type Health = {
  /** Names of systemd units that must be active. */
  readonly units: readonly string[]
  readonly http: readonly { readonly url: string }[]
  /** Names of programs in the image; never a command line. */
  readonly checks: readonly string[]
  readonly greenboot: boolean
  readonly reachController: boolean
  readonly stableForMs: number
}

export type Strategy = {
  readonly name: string
  readonly waves: readonly Wave[]
  readonly maxUnavailable: Amount
  readonly failureLimit: { readonly firstWave: FailureLimit; readonly later: FailureLimit }
  readonly onFailure: { readonly firstWave: OnFailure; readonly later: OnFailure }
  readonly deadlines: Deadlines
  readonly health: Health
  readonly analysis: readonly Analysis[]
  /** Null: as fast as the other limits allow. */
  readonly rate: Rate | null
  readonly rollback: RollbackPolicy
  readonly budgets: readonly TopologyBudget[]
  readonly downloads: Downloads
  readonly windows: readonly Window[]
  readonly retry: Retry
}

export type Fleet = {
  readonly name: string
  readonly selector: Selector
  readonly image: ImageReference
  /** Null: no signature is asked for, or the fleet that is followed has one. */
  readonly verify: ImageVerification | null
  /** What hosts do with an image that container-snap lint finds unfit, before they stage it. */
  readonly lint: 'Enforce' | 'Warn' | 'Off'
  readonly strategy: Strategy
  readonly suspend: boolean
  readonly requires: readonly Barrier[]
  /** Judged by the images' version labels. */
  readonly downgrade: 'Deny' | 'Allow'
  readonly deny: readonly Denial[]
  readonly declaredAt: { readonly path: string; readonly line: number }
}

/** Sorted by name; strategies are already resolved and every default is written out. */
export type DesiredState = {
  readonly fleets: readonly Fleet[]
  readonly hosts: readonly HostDeclaration[]
  readonly freezes: readonly Freeze[]
  /** Fleets that `.bootfleet/allow-removal` names: they may go, and their hosts may be without an owner. */
  readonly removable: readonly string[]
  /** What approvers signed, as it lies in `.bootfleet/permits`, by path; absent: nothing. */
  readonly permits?: readonly Pick<SourceFile, 'path' | 'text'>[]
}

/** `root`: what begins the paths of all files of its source; nothing unless it is there. */
export type SourceFile = { readonly path: string; readonly text: string; readonly root?: string | undefined }

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
