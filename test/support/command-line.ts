import { runProgram } from '../../cli/program.ts'

export type Ran = { readonly status: number; readonly out: string; readonly note: string }

export type Running = {
  /** What it printed up to now. */
  readonly out: () => string
  readonly note: () => string
  readonly ended: Promise<Ran>
  /** As Ctrl-C. */
  readonly interrupt: () => void
}

/** Run `bootfleet` in this process, with no terminal, no environment and no home; what it printed comes back. */
export function runBootfleet(
  args: readonly string[],
  columns = 120,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return startBootfleet(args, columns, environment).ended
}

export function startBootfleet(
  args: readonly string[],
  columns = 120,
  environment: Readonly<Record<string, string>> = {},
): Running {
  let out = ''
  let note = ''
  const stop = new AbortController()
  const ended = runProgram(args, {
    out: (text) => void (out += text),
    note: (text) => void (note += text),
    environment,
    homeDir: '/nowhere',
    interactive: false,
    colour: false,
    columns: () => columns,
    tty: null,
    signal: stop.signal,
  })
  return {
    out: () => out,
    note: () => note,
    ended: ended.then((status) => ({ status, out, note })),
    interrupt: () => stop.abort(),
  }
}
