/** What a command may know of the world around it; tests pass their own. */
export type Terminal = {
  /** Data, for pipes and scripts. */
  readonly out: (text: string) => void
  /** Progress and warnings. */
  readonly note: (text: string) => void
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly homeDir: string
  readonly interactive: boolean
  readonly colour: boolean
  readonly columns: () => number
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

/** A non-empty NO_COLOR disables (no-color.org); TERM=dumb cannot do it. */
export function wantsColour(environment: Terminal['environment'], isTty: boolean): boolean {
  const noColour = environment['NO_COLOR']
  if (noColour !== undefined && noColour !== '') return false
  return isTty && environment['TERM'] !== 'dumb'
}
