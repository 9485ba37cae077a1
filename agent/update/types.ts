export type Phase =
  | 'Idle'
  | 'Downloading'
  | 'Ready'
  | 'Staging'
  | 'Staged'
  | 'Activating'
  | 'Rebooting'
  | 'Verifying'
  | 'Healthy'
  | 'Failed'
  | 'RollingBack'
  | 'RolledBack'

/** A plan that passed `accept()`, with its instants as milliseconds. */
export type AcceptedPlan = {
  readonly payloadSha256: string
  readonly fleet: string
  readonly rollout: string
  readonly generation: number
  readonly attempt: number
  readonly term: number
  readonly counter: number
  readonly issuedAtMs: number
  readonly image: Image
  /** Null: pulling and deploying is not, or no longer, granted. */
  readonly stageUntilMs: number | null
  /** Null: starting the activation is not, or no longer, granted. Void after the commit point. */
  readonly activateUntilMs: number | null
  readonly health: HealthPolicy
  readonly limits: { readonly maxReboots: number; readonly maxBytes: number }
  readonly deny: readonly string[]
}

export type Image = {
  readonly repository: string
  readonly digest: string
  readonly manifestDigest: string
  readonly version: string
}

export type HealthPolicy = {
  readonly checks: readonly string[]
  readonly stableForMs: number
  readonly deadlineMs: number
}

export type Deployment = {
  readonly deploymentId: string
  /** Null where the host does not know from which image it was made. */
  readonly digest: string | null
  readonly manifestDigest: string | null
}

/** What the host says about itself: the only truth that `resume` trusts. */
export type HostFacts = {
  readonly bootId: string
  /** Null: the root that runs is no deployment. */
  readonly current: Deployment | null
  readonly default: Deployment | null
  readonly deployments: readonly Deployment[]
}

export type FailedCheck = { readonly name: string; readonly detail: string }

export type Failure = {
  /** A stable word, for example DownloadFailed, HealthFailed, BootedOther. */
  readonly code: string
  readonly message: string
  readonly failedChecks: readonly FailedCheck[]
}

/** What must be known to come back; written before the default changes. */
export type Commit = {
  readonly targetDeploymentId: string
  readonly previousDeploymentId: string
  /** Boot before the activation; the target counts as booted only under another one. */
  readonly bootId: string
  /** Boots seen since the activation. */
  readonly rebootsUsed: number
}

/** Retries of the operation of the present phase. `atMs` is null while the operation runs. */
export type Retry = { readonly failures: number; readonly atMs: number | null }

/** Where the machine stands. `plan` is the one the phase belongs to, frozen at the commit point. */
export type Position =
  | { readonly phase: 'Idle' }
  | { readonly phase: 'Downloading' | 'Staging'; readonly plan: AcceptedPlan; readonly retry: Retry }
  | { readonly phase: 'Ready'; readonly plan: AcceptedPlan }
  | { readonly phase: 'Staged'; readonly plan: AcceptedPlan; readonly targetDeploymentId: string }
  | Committing
  | Verifying
  | RollingBack
  | { readonly phase: 'Healthy'; readonly plan: AcceptedPlan }
  | { readonly phase: 'Failed' | 'RolledBack'; readonly plan: AcceptedPlan; readonly failure: Failure }

export type Committing = {
  readonly phase: 'Activating' | 'Rebooting'
  readonly plan: AcceptedPlan
  readonly commit: Commit
  readonly retry: Retry
}

export type Verifying = {
  readonly phase: 'Verifying'
  readonly plan: AcceptedPlan
  /** Null: the image was running already, so there is nothing to fall back from. */
  readonly commit: Commit | null
  readonly deadlineAtMs: number
}

export type RollingBack = {
  readonly phase: 'RollingBack'
  readonly plan: AcceptedPlan
  readonly commit: Commit
  readonly failure: Failure
  readonly retry: Retry
}

/** All that the agent remembers; one JSON file. */
export type State = {
  readonly version: 1
  /** The plan last accepted: the replay barrier, even while `at` still belongs to an older one. */
  readonly accepted: AcceptedPlan | null
  readonly at: Position
  readonly phaseEnteredAtMs: number
  readonly booted: { readonly bootId: string; readonly current: Deployment | null }
  /** Digests that failed here or were denied by a plan; never run again, whatever a later plan says. */
  readonly deniedDigests: readonly string[]
  /** Number of the operation last started; a result that names another one is void. */
  readonly operation: number
}

/** What was found at the start of the process, compared with what the state expected. */
export type Found = 'Unmoved' | 'Committed' | 'TargetBooted' | 'FellBack' | 'Restored'

export type StartedEvent = { readonly kind: 'started'; readonly facts: HostFacts; readonly found: Found }

export type ResultEvent = { readonly operation: number } & (
  | { readonly kind: 'downloaded'; readonly manifestDigest: string }
  | { readonly kind: 'staged'; readonly deploymentId: string }
  | { readonly kind: 'activated' }
  | { readonly kind: 'restored' }
  | { readonly kind: 'verdict'; readonly failedChecks: readonly FailedCheck[] }
  | FailedEvent
)

export type FailedEvent = {
  readonly kind: 'failed'
  readonly operation: number
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** In [0, 1): spreads the retries of a fleet. */
  readonly random: number
}

export type Event =
  | { readonly kind: 'planAccepted'; readonly plan: AcceptedPlan }
  | { readonly kind: 'timer' }
  | StartedEvent
  | ResultEvent

export type Work =
  | { readonly kind: 'pull'; readonly image: Image; readonly maxBytes: number }
  | { readonly kind: 'stage'; readonly image: Image; readonly maxBytes: number }
  | { readonly kind: 'activate'; readonly deploymentId: string }
  | { readonly kind: 'reboot' }
  | {
      readonly kind: 'checkHealth'
      readonly checks: readonly string[]
      readonly stableForMs: number
      /** What is left until the verdict is Failed. */
      readonly deadlineMs: number
    }
  /** Make `deploymentId` what boots next; the reboot is an effect of its own. */
  | { readonly kind: 'rollback'; readonly deploymentId: string }
  /** Stop the operation that runs; its result is void. */
  | { readonly kind: 'forget' }

export type Effect = Work & { readonly operation: number }

export type Step = { readonly next: State; readonly effects: readonly Effect[] }
