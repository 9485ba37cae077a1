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
  /** The terminal itself, for a command that takes all of it; null where there is none. */
  readonly tty: Tty | null
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

/** A terminal that one command has for itself. */
export type Tty = {
  readonly size: () => { readonly width: number; readonly height: number }
  readonly write: (text: string) => void
  /** It has not taken yet what was written. */
  readonly isBehind: () => boolean
  /** Every key at once, and none shown by the terminal, until what comes back is called. */
  readonly listen: (listeners: {
    readonly input: (text: string) => void
    readonly resized: () => void
    /** Nobody is there any more. */
    readonly gone: () => void
  }) => () => void
  /** `restore` is called when the process ends, by whatever, until what comes back is called. */
  readonly beforeEnd: (restore: () => void) => () => void
}

/** What text is fitted to; null: nobody looks at it in a terminal. */
export function columnsOf({
  columns,
  interactive,
}: Pick<Terminal, 'columns' | 'interactive'>): number | null {
  return interactive ? columns() : null
}

/** A non-empty NO_COLOR disables (no-color.org); TERM=dumb cannot do it. */
export function wantsColour(environment: Terminal['environment'], isTty: boolean): boolean {
  const noColour = environment['NO_COLOR']
  if (noColour !== undefined && noColour !== '') return false
  return isTty && environment['TERM'] !== 'dumb'
}
