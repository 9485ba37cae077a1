import type { AgentPhase } from './states.ts'

export type SourcedArgument = { readonly argument: string; readonly source: string }

/** What a host says about itself, as the engine reads it. */
export type HostReport = {
  readonly plan: {
    readonly rollout: string
    readonly generation: number
    readonly attempt: number
    readonly term: number
    readonly counter: number
  } | null
  readonly phase: AgentPhase
  readonly bootedDigest: string | null
  readonly bootedManifestDigest: string | null
  /** The version label of what runs, where the host knows it; else empty. */
  readonly bootedVersion: string
  /** What boots next. */
  readonly defaultDigest: string | null
  readonly targetDigest: string | null
  readonly bootId: string
  readonly health: {
    readonly verdict: 'Unknown' | 'Passed' | 'Failed'
    readonly failedChecks: readonly { readonly name: string; readonly detail: string }[]
  }
  readonly failure: {
    readonly code: string
    readonly message: string
    /** What was seen of the failed boots, most telling line first. */
    readonly evidence: readonly string[]
  } | null
  readonly architecture: string
  readonly deniedDigests: readonly string[]
  /** Files in /etc that both host and image changed. */
  readonly etcConflicts: readonly string[]
  /** What its plan gave the deployment that runs for the kernel's line; absent: its agent does not say. */
  readonly kernelArguments?: readonly string[]
  /** All that stands on that line behind the root, and whose it is: image, host or machine; absent: it cannot say. */
  readonly kernelLine?: readonly SourcedArgument[]
  /** What it did to the /etc of the image that runs; absent: its agent does not look. */
  readonly etcChanges?: ReportedEtc
  readonly phaseEnteredAtMs: number
  /** A plan newer than `plan` that it did not follow; absent: none. */
  readonly refused?: {
    readonly plan: NonNullable<HostReport['plan']>
    readonly code: string
    readonly message: string
  }
  /** When the plan last accepted was signed, where that is longer ago than the host allows; absent: it is not. */
  readonly plansStaleSinceMs?: number
  /** Nothing before its kernel counts tries and falls back; absent: something does, or it does not say. */
  readonly unguarded?: true
  /** How it says that it keeps its private keys; absent: it does not say. */
  readonly keysKept?: 'sealed' | 'plain'
  /** What a person on it made boot, and nobody has changed since; absent: it boots what it was given. */
  readonly localMove?: LocalMove
  /** What it runs, where it only reports and takes no plan; absent: it is one that is updated. */
  readonly reportOnly?: ReportedSystem
}

/** By name below /etc; no file's content is ever told. */
export type ReportedEtc = {
  readonly changes: readonly { readonly path: string; readonly kind: string }[]
  /** How many more there are, which are not named. */
  readonly more: number
  /** By the host's clock; 0: not yet, since it booted or its agent started. */
  readonly takenAtMs: number
  /** Why it cannot tell them; empty: it can. */
  readonly problem: string
}

export type LocalMove = {
  readonly id: string
  /** As the host knows them. */
  readonly user: string
  /** Of container-snap. */
  readonly command: string
  readonly atMs: number
  /** Null: of an image that nobody knows. */
  readonly digest: string | null
}

/** Of a host that is not ours to update; what it does not know is empty. */
export type ReportedSystem = {
  /** ID, VERSION_ID and PRETTY_NAME of os-release(5). */
  readonly osId: string
  readonly osVersion: string
  readonly osName: string
  /** Of the image that it was booted from, as its own tools name it. */
  readonly imageReference: string
  readonly imageLabels: Readonly<Record<string, string>>
}
