import { execa } from 'execa'
import { endLeftovers } from '../leftovers.ts'
import { withoutCredentials } from './git-url.ts'

export type GitCall = {
  readonly args: readonly string[]
  /** The one remote protocol that may be spoken; none for work on the mirror alone. */
  readonly protocol: string | null
  readonly gitDir: string
  readonly homeDir: string
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly maxOutputBytes: number
  readonly input?: string
  readonly secretSettings?: readonly (readonly [key: string, value: string])[]
  /** GnuPG's home, where signatures are verified. */
  readonly keyringDir?: string | undefined
}

export type SignerCall = Pick<GitCall, 'args' | 'homeDir' | 'signal' | 'timeoutMs' | 'maxOutputBytes'> & {
  readonly input: Buffer
}

export type GitOutcome = {
  readonly end: 'exited' | 'timed-out' | 'cut-off' | 'not-started'
  readonly exitCode: number
  readonly stdout: Buffer
  /** Short, on one line, without credentials. */
  readonly complaint: string
}

/** Nothing else of the environment reaches git, but an ssh command of the operator's own: a stray GIT_DIR or GIT_CONFIG_COUNT would undo the rest. */
const passedOn = [
  'PATH', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_EXEC_PATH',
  'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY',
] // prettier-ignore

const settings = [
  'protocol.allow=never',
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'credential.helper=',
  'fetch.fsckObjects=true',
  'transfer.fsckObjects=true',
  'fetch.recurseSubmodules=false',
  'gc.autoDetach=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=20',
]

/** Never rejects for what git did: how it ended is the answer. An abort rejects with the signal's reason. */
export async function runGit(call: GitCall): Promise<GitOutcome> {
  const allowed = call.protocol === null ? [] : [`protocol.${call.protocol}.allow=always`]
  const config = [...settings, ...allowed].flatMap((setting) => ['-c', setting])
  const args = ['--no-replace-objects', ...config, `--git-dir=${call.gitDir}`, ...call.args]
  const keyring = call.keyringDir === undefined ? {} : { GNUPGHOME: call.keyringDir }
  const env = { ...settingsInEnvironment(call.secretSettings ?? []), ...keyring }
  return run('git', args, { ...call, env, input: call.input ?? '' })
}

/** Git verifies; this makes the keyring that it verifies with, in `homeDir`. */
export async function runGpg(call: SignerCall): Promise<GitOutcome> {
  return run('gpg', call.args, { ...call, env: { GNUPGHOME: call.homeDir } })
}

/** Git verifies commits by it too; this is for what was signed outside of git. */
export async function runSshKeygen(call: SignerCall): Promise<GitOutcome> {
  return run('ssh-keygen', call.args, { ...call, env: {} })
}

type Run = Pick<GitCall, 'homeDir' | 'signal' | 'timeoutMs' | 'maxOutputBytes'> & {
  readonly env: Readonly<Record<string, string>>
  readonly input: string | Buffer
}

async function run(
  program: 'git' | 'gpg' | 'ssh-keygen',
  args: readonly string[],
  call: Run,
): Promise<GitOutcome> {
  const child = execa(program, args, {
    cwd: call.homeDir,
    env: { ...environment(call.homeDir), ...call.env },
    extendEnv: false,
    input: call.input,
    encoding: 'buffer',
    maxBuffer: call.maxOutputBytes,
    timeout: call.timeoutMs,
    cancelSignal: call.signal,
    forceKillAfterDelay: 2000,
    stripFinalNewline: false,
    reject: false,
    detached: true,
  })
  child.once('exit', () => endLeftovers(child))
  const result = await child
  call.signal.throwIfAborted()
  return {
    end: endOf(result),
    exitCode: result.exitCode ?? -1,
    stdout: Buffer.from(result.stdout),
    complaint: shorten(Buffer.from(result.stderr).toString('utf8')),
  }
}

type Ending = {
  readonly timedOut: boolean
  readonly isMaxBuffer: boolean
  readonly code?: string | undefined
}

function endOf(result: Ending): GitOutcome['end'] {
  if (result.timedOut) return 'timed-out'
  if (result.isMaxBuffer) return 'cut-off'
  return result.code === 'ENOENT' ? 'not-started' : 'exited'
}

function environment(homeDir: string): Record<string, string> {
  // oxlint-disable-next-line node/no-process-env -- only the names listed above are read
  const own = process.env
  const kept = passedOn.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]]))
  return {
    ...Object.fromEntries(kept),
    HOME: homeDir,
    XDG_CONFIG_HOME: homeDir,
    LC_ALL: 'C.UTF-8',
    // Times in a list of signers mean the same on every controller.
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_SSH_COMMAND: `${own['GIT_SSH_COMMAND'] ?? 'ssh'} -o BatchMode=yes -o ConnectTimeout=15 -o ClearAllForwardings=yes`,
  }
}

function settingsInEnvironment(
  pairs: readonly (readonly [key: string, value: string])[],
): Record<string, string> {
  const entries = pairs.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return { GIT_CONFIG_COUNT: String(pairs.length), ...Object.fromEntries(entries) }
}

function shorten(stderr: string): string {
  const oneLine = withoutCredentials(stderr.trim()).replaceAll(/[\p{Cc}\s]+/gu, ' ')
  return oneLine.length > 300 ? `…${oneLine.slice(-300)}` : oneLine
}
