import type { Asker } from './asker.ts'
import type { StorePaths } from './store/paths.ts'

/** What every command gets from main.ts. */
export type Context = {
  paths: StorePaths
  signal: AbortSignal
  /** The user's registries.conf, where the environment names another than the system's. */
  registriesConf: string | undefined
  json: boolean
  asker: () => Promise<Asker>
  /** Writes one line to stdout at once; for progress only, results are returned. */
  emit: (line: string) => void
  /** Shown on stderr with --verbose. */
  log: (line: string) => void
  /** Shown on stderr always: what the user must know of a command that succeeds. */
  warn: (line: string) => void
  /** Given by tests only: called between two writes that must survive a crash in their order. */
  failpoint?: (name: string) => Promise<void>
}

export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
