import type { HostFacts, LocalMove } from './facts.ts'
import type { Floor, Guard } from './floor.ts'
import type { LintPolicy, Staged } from './staged.ts'

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
  readonly allow?: readonly string[]
  readonly lint?: LintPolicy
  /** Absent: the trust bundle names no approver, so that any version may follow. */
  readonly guard?: Guard
  /** The local move after which an operator let the host go on; absent: none. */
  readonly resumed?: string
  /** On the kernel's line of what it deploys; absent: none. */
  readonly kernelArguments?: readonly string[]
}

export type Image = {
  readonly repository: string
  readonly digest: string
  readonly manifestDigest: string
  readonly version: string
}

/** What must pass. */
export type HealthChecks = {
  /** systemd units that must be active. */
  readonly units: readonly string[]
  readonly http: readonly { readonly url: string }[]
  /** Names of programs in the booted image. */
  readonly checks: readonly string[]
  /** Whether the image's greenboot directories count. */
  readonly greenboot: boolean
  /** Whether losing the network is a failure. */
  readonly reachController: boolean
}

export type HealthPolicy = HealthChecks & { readonly stableForMs: number; readonly deadlineMs: number }

export type FailedCheck = { readonly name: string; readonly detail: string }

export type Failure = {
  /** A stable word, for example DownloadFailed, HealthFailed, BootedOther. */
  readonly code: string
  readonly message: string
  readonly failedChecks: readonly FailedCheck[]
  /** See HostFacts. */
  readonly evidence: readonly string[]
}

/** What the checks say of the image that came back. */
export type RunningVerdict =
  | { readonly kind: 'Unknown' }
  | { readonly kind: 'Passed' }
  | { readonly kind: 'Failed'; readonly failedChecks: readonly FailedCheck[] }

/** What must be known to come back; written before the default changes. */
export type Commit = {
  readonly targetDeploymentId: string
  readonly previousDeploymentId: string
  /** Boot before the activation; the target counts as booted only under another one. */
  readonly bootId: string
  /** Boots seen since the activation. */
  readonly rebootsUsed: number
  /** When the controller last answered; null where that was too long before to blame the image for a lost network. */
  readonly reachableAtMs: number | null
  /** It ran before too, under other kernel arguments: what fails is not the image's fault. Absent: it did not. */
  readonly sameImage?: true
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
  | Blessing
  | RollingBack
  | Judging
  | { readonly phase: 'Healthy'; readonly plan: AcceptedPlan }
  | { readonly phase: 'Failed'; readonly plan: AcceptedPlan; readonly failure: Failure }
  | RolledBack

export type Phase = Position['phase']

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

/** All checks passed; what remains is to make this what boots without being tried. */
export type Blessing = {
  readonly phase: 'Blessing'
  readonly plan: AcceptedPlan
  readonly commit: Commit
  readonly retry: Retry
}

export type RollingBack = {
  readonly phase: 'RollingBack'
  readonly plan: AcceptedPlan
  readonly commit: Commit
  readonly failure: Failure
  readonly retry: Retry
}

/** Back on the previous image: does the network answer here, so that it was the image that lost it? */
export type Judging = {
  readonly phase: 'Judging'
  readonly plan: AcceptedPlan
  readonly failure: Failure
  readonly deadlineAtMs: number
}

export type RolledBack = {
  readonly phase: 'RolledBack'
  readonly plan: AcceptedPlan
  readonly failure: Failure
  readonly running: RunningVerdict
}

/** The image that was last proven healthy, and by what. */
export type Proven = {
  readonly manifestDigest: string
  readonly health: HealthPolicy
  /** The last look at it, after that, found it ill. */
  readonly failedLater?: true
}

/** All that the agent remembers; one JSON file. */
export type State = {
  readonly version: 1
  /** The plan last accepted: the replay barrier, even while `at` still belongs to an older one. */
  readonly accepted: AcceptedPlan | null
  readonly at: Position
  readonly phaseEnteredAtMs: number
  readonly booted: Pick<HostFacts, 'bootId' | 'current' | 'default'>
  readonly proven: Proven | null
  /** When the controller, or what brings its plans, last answered. */
  readonly reachableAtMs: number | null
  /** Files in /etc that both this host and the image last staged changed. */
  readonly etcConflicts: readonly string[]
  /** What lint found in the image last staged, and `Warn` let pass; absent: nothing. */
  readonly lintFindings?: readonly string[]
  /** What proved itself here, newest first; the others are the ways back. Absent: not known yet. */
  readonly floors?: readonly Floor[]
  /** What a person made boot here: nothing that a plan grants is begun until one says that it may be. */
  readonly moved?: LocalMove
  /** Of the move that was there before the agent first looked, which is where it began. */
  readonly firstMove?: string
  /** Digests that failed here or were denied by a plan; never run again, unless a later step's plan allows it. */
  readonly deniedDigests: readonly string[]
  /** Number of the operation last started; a result that names another one is void. */
  readonly operation: number
}

/** What was found at the start of the process, compared with what the state expected. */
export type Found = 'Unmoved' | 'Committed' | 'TargetBooted' | 'FellBack' | 'Restored'

export type StartedEvent = { readonly kind: 'started'; readonly facts: HostFacts; readonly found: Found }

export type ResultEvent = { readonly operation: number } & (
  | { readonly kind: 'downloaded'; readonly manifestDigest: string; readonly version?: string }
  | ({ readonly kind: 'staged' } & Staged)
  | { readonly kind: 'activated' }
  | { readonly kind: 'restored' }
  | { readonly kind: 'blessed'; readonly version?: string }
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
  /** Seen while the host runs, where what boots next or who chose it is not what it was. */
  | { readonly kind: 'looked'; readonly facts: Omit<HostFacts, 'evidence'> }
  | StartedEvent
  | ResultEvent

export type Work =
  | { readonly kind: 'pull'; readonly image: Image; readonly maxBytes: number }
  | (Pick<AcceptedPlan, 'image' | 'kernelArguments'> & {
      readonly kind: 'stage'
      readonly maxBytes: number
      readonly lint: LintPolicy | null
    })
  | { readonly kind: 'activate'; readonly deploymentId: string }
  | { readonly kind: 'reboot' }
  | {
      readonly kind: 'checkHealth'
      readonly health: HealthChecks
      readonly repository: string
      readonly stableForMs: number
      /** What is left until the verdict is Failed. */
      readonly deadlineMs: number
    }
  /** Proven: from here on it boots without being tried. */
  | { readonly kind: 'bless'; readonly deploymentId: string }
  /**
   * Make `deploymentId` what boots next; the reboot is an effect of its own. `bad` says why the one that is left
   * must not be booted again; null: nothing is known against it.
   */
  | { readonly kind: 'rollback'; readonly deploymentId: string; readonly bad: string | null }
  /** Stop the operation that runs; its result is void. */
  | { readonly kind: 'forget' }

export type Effect = Work & { readonly operation: number }

export type Step = { readonly next: State; readonly effects: readonly Effect[] }
