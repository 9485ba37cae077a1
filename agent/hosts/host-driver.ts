import type { HostFacts } from '../update/facts.ts'
import type { HealthChecks, Image } from '../update/types.ts'

export type PullOptions = {
  /** The pull is stopped when it turns out to be larger. */
  readonly maxBytes: number
  /** `totalBytes` is 0 while it is not known. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly signal: AbortSignal
}

export type CheckResult =
  | { readonly kind: 'passed' }
  /** It did not pass, and counts for nothing but the log. */
  | { readonly kind: 'noted'; readonly detail: string }
  /** `final`: trying again cannot help, for example because the image has no such program. */
  | { readonly kind: 'failed'; readonly detail: string; readonly final: boolean }

export type HostCheck = {
  readonly name: string
  readonly run: (signal: AbortSignal) => Promise<CheckResult>
}

/** `source`: image, host (a plan) or machine. */
export type SourcedArgument = { readonly argument: string; readonly source: string }

/** `NotOurs`: its boot loader takes no arguments from a plan. Null: it cannot be read. */
type KernelLine = readonly SourcedArgument[] | 'NotOurs' | null

/** Against the image that runs: names below /etc, never what a file says. */
export type EtcChanges =
  /** `more`: how many there are besides, which are not named. */
  | {
      readonly kind: 'known'
      readonly changes: readonly { readonly path: string; readonly kind: string }[]
      readonly more: number
    }
  | { readonly kind: 'unknown'; readonly problem: string }

/** Whether its boot loader counts tries and falls back by itself; null: it has none, or does not say. */
export type BootGuard = 'counted' | 'uncounted' | null

export type LoaderFacts = {
  /** What is on the kernel's line of what runs, behind its root. */
  readonly kernelLine: KernelLine
  readonly guard: BootGuard
}

export type OsRelease = { readonly id: string; readonly version: string }

/** `version` is the label of the image itself, whatever the plan says; absent: it has none. */
export type Pulled = { readonly manifestDigest: string; readonly version?: string }

/** `kernelArguments`: of the plan, beside the image's and the machine's own. */
export type ToStage = { readonly image: Image; readonly kernelArguments: readonly string[] }

export type Staged = { readonly deploymentId: string; readonly etcConflicts: readonly string[] }

/** A deployment that was activated during the boot `bootId`, and something else came up. */
export type FallenActivation = { readonly deploymentId: string; readonly bootId: string }

/**
 * What the agent does to the machine it runs on. Every method but `reboot` may be repeated after a crash.
 * Methods throw AgentError.
 */
export type HostDriver = {
  readonly name: 'container-snap' | 'simulated'
  /** As OCI names it. */
  readonly architecture: string
  /** A simulated network answers by `checksOf`, a real one is asked. */
  readonly network: 'real' | 'simulated'
  /**
   * Make the host usable after a start of the process or a reboot; must end before any of its files is read.
   * Says what it repaired, a line each.
   */
  prepare(signal: AbortSignal): Promise<readonly string[]>
  inspect(signal: AbortSignal): Promise<Omit<HostFacts, 'evidence'>>
  /** What was seen of the boots since; at most 32 lines of 256 characters. Never throws. */
  evidence(fallen: FallenActivation, signal: AbortSignal): Promise<readonly string[]>
  osRelease(): Promise<OsRelease>
  loaderFacts(signal: AbortSignal): Promise<LoaderFacts>
  /** What the host did to its /etc; bounded in number and bytes. Reads all of it, so not often. Never throws. */
  etcChanges(signal: AbortSignal): Promise<EtcChanges>
  /** Download an image by digest; an image that is there already costs little. */
  pull(image: Image, options: PullOptions): Promise<Pulled>
  /**
   * What makes a pulled image unfit to be booted or updated on this host, the first rule that failed first; at most
   * 64 lines of 256 characters.
   */
  lint(image: Image, signal: AbortSignal): Promise<readonly string[]>
  /** Make a bootable working copy of a pulled image; nothing boots differently. */
  stage(what: ToStage, signal: AbortSignal): Promise<Staged>
  /** Make a deployment what boots next, durably: the commit point. */
  activate(deploymentId: string, signal: AbortSignal): Promise<void>
  /** Make a deployment that ran before what boots next; `bad` is why the one that is left must not boot again. */
  rollback(deploymentId: string, bad: string | null, signal: AbortSignal): Promise<void>
  /** A deployment has proven itself: from here on it boots without being tried. */
  bless(deploymentId: string, signal: AbortSignal): Promise<void>
  /**
   * Free what neither runs, boots next, nor is a way back, so that a host does not fill up. Says what went, a line
   * each. May be stopped anywhere.
   */
  tidy(signal: AbortSignal): Promise<readonly string[]>
  /**
   * Reboot. Where the agent survives it, resolves when the machine runs again, under a new boot id; on a real
   * machine the process ends before.
   */
  reboot(signal: AbortSignal): Promise<void>
  /** The checks that the host itself can run, in the order in which they are told. */
  checksOf(health: HealthChecks): Promise<readonly HostCheck[]>
}
