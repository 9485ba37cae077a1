import { AgentError } from '../errors.ts'
import type { AgentErrorCode } from '../errors.ts'
import { execute, lastLine } from '../exec.ts'

export type ProgramOptions = {
  /** The program, by name or path. */
  readonly command: string
  /** Where the root it works on is mounted; null: the machine's own. */
  readonly sysroot: string | null
  /** For the program: where registries and their credentials are configured. */
  readonly env: Readonly<Record<string, string>>
}

export type CallOptions = {
  /** Of the error when it fails, unless its exit status says more. */
  readonly code: AgentErrorCode
  readonly attempt: string
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  readonly onLine?: (line: string) => void
}

/** Run container-snap with these arguments; resolves to its stdout. Throws AgentError. */
export type Call = (arguments_: readonly string[], options: CallOptions) => Promise<string>

/** Exit statuses of the program that mean: not by trying again. */
const REFUSALS: ReadonlySet<number> = new Set([2, 4, 7])
const NO_SPACE = 8
/** setpriv's own, as a shell's. */
const NO_SUCH_PROGRAM = 127
/** What a killed agent left behind must not move the default after the next one has looked at it. */
const ENDS_WITH_AGENT = ['setpriv', '--pdeathsig', 'TERM', '--'] as const
/** So that what a person asks for can be told from what the agent does. */
const ASKED_BY = { CONTAINER_SNAP_ASKED_BY: 'agent' } as const
const QUICK_TIMEOUT_MS = 2 * 60_000

export function containerSnapProgram({ command, sysroot, env }: ProgramOptions): Call {
  const place = sysroot === null ? [] : ['--sysroot', sysroot]
  return async (arguments_, { code, attempt, ...options }) => {
    const settings = { timeoutMs: QUICK_TIMEOUT_MS, ...options, attempt, env: { ...env, ...ASKED_BY } }
    const result = await execute([...ENDS_WITH_AGENT, command, ...place, ...arguments_], settings)
    if (result.exitCode === 0) return result.stdout
    if (result.exitCode === NO_SUCH_PROGRAM) {
      throw new AgentError('ExecMissing', `${attempt}: there is no program ${command}; install it`)
    }
    if (result.exitCode === NO_SPACE)
      throw new AgentError('NoSpace', `${attempt}: ${lastLine(result.stderr)}`)
    const said = lastLine(result.stderr) || `exit status ${result.exitCode}`
    throw new AgentError(REFUSALS.has(result.exitCode) ? 'ImageRefused' : code, `${attempt}: ${said}`)
  }
}
