import type { HostFacts, Image } from '../update/types.ts'

export type PullOptions = {
  /** The pull is stopped when it turns out to be larger. */
  readonly maxBytes: number
  /** `totalBytes` is 0 while it is not known. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly signal: AbortSignal
}

export type CheckResult =
  | { readonly kind: 'passed' }
  /** `final`: trying again cannot help, for example because the image has no such program. */
  | { readonly kind: 'failed'; readonly detail: string; readonly final: boolean }

export type OsRelease = { readonly id: string; readonly version: string }

/**
 * What the agent does to the machine it runs on. Every method but `reboot` may be repeated after a crash.
 * Methods throw AgentError.
 */
export type HostDriver = {
  readonly name: 'container-snap' | 'simulated'
  /** As OCI names it. */
  readonly architecture: string
  /** Make the host usable after a start of the process; must end before any of its files is read. */
  prepare(signal: AbortSignal): Promise<void>
  inspect(signal: AbortSignal): Promise<HostFacts>
  osRelease(): Promise<OsRelease>
  /** Download an image by digest; an image that is there already costs little. */
  pull(image: Image, options: PullOptions): Promise<{ readonly manifestDigest: string }>
  /** Make a bootable working copy of a pulled image, and return its deployment id; nothing boots differently. */
  stage(image: Image, options: PullOptions): Promise<string>
  /** Make a deployment what boots next, durably: the commit point. */
  activate(deploymentId: string, signal: AbortSignal): Promise<void>
  /**
   * Reboot. Where the agent survives it, resolves when the machine runs again, under a new boot id; on a real
   * machine the process ends before.
   */
  reboot(signal: AbortSignal): Promise<void>
  /** Run a named check of the image that runs now. */
  runCheck(name: string, signal: AbortSignal): Promise<CheckResult>
}
