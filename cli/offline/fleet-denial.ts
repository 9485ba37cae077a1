/** That a fleet must not be granted a digest. */
export type FleetDenial = {
  readonly fleet: string
  readonly digest: string
  readonly reason: string
  /** Git: the files that are looked at deny it themselves; else as the controller says it. */
  readonly origin: string
  /** Empty when no person did. */
  readonly actor: string
  /** Null: as long as the files say so. */
  readonly atMs: number | null
}
