/** What a driver needs of the machine below it; the one seam between a real reboot and its stand-in. */
export type Machine = {
  /** Where the running root is seen from here: `/`, or the mount point of a sysroot. */
  readonly root: string
  /** Null for the machine we run on ourselves. */
  readonly sysroot: string | null
  /** Repair what a crash left half-done; safe to repeat. */
  prepare(signal: AbortSignal): Promise<void>
  bootId(): Promise<string>
  /** See HostDriver.reboot. */
  reboot(signal: AbortSignal): Promise<void>
}
