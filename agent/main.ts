import { parseArgs } from 'node:util'
import { destination, pino } from 'pino'
import { adopt } from './adopt/command.ts'
import type { AdoptOptions } from './adopt/command.ts'
import { startAgent } from './agent.ts'
import { loadConfig, registryEnvironment } from './config.ts'
import type { AgentConfig } from './config.ts'
import { AgentError } from './errors.ts'
import { enrol } from './joining/enrol.ts'
import { answer } from './local/commands.ts'
import type { LocalCommand } from './local/commands.ts'
import { uninstall } from './local/uninstall.ts'
import { VERSION } from '../proto/version.ts'

const USAGE = `bootfleet-agent ${VERSION}: keeps this host on the image its plan names

usage:
  bootfleet-agent run --config FILE   run until SIGTERM or SIGINT
  bootfleet-agent status              what runs, what boots next, how far the plan is, how keys are kept
  bootfleet-agent why                 what keeps the host from what its plan wants
  bootfleet-agent check               run the checks of the plan, once and now
  bootfleet-agent health [--agent-within SECONDS]
                                      wait for the verdict on a deployment that is on trial
  bootfleet-agent enrol --token-file FILE --server HOST:PORT [--name NAME] [--wait 1h]
                                      ask to be enrolled, and wait until somebody agrees
  bootfleet-agent uninstall [--purge] disable the agent, and leave a machine that boots what it runs;
                                      --purge removes keys, plans and configuration too
  bootfleet-agent adopt (--dry-run | --approve FINGERPRINT) IMAGE
                                      move a machine that runs already to an image, and back; adopt --help
  bootfleet-agent --version
  bootfleet-agent --help

The configuration is /etc/bootfleet/agent.yaml where --config FILE does not say otherwise.

exit status: 0 stopped as asked, or all is well; 1 cannot go on, a check failed, or no verdict in time;
2 wrong use or configuration
`
const CONFIG_PATH = '/etc/bootfleet/agent.yaml'
const AGENT_WITHIN_SECONDS = '300'
const ENROL_WAIT = '1h'
const LOCAL_COMMANDS = ['status', 'why', 'check', 'health'] as const satisfies readonly LocalCommand[]

/** `adopt` has options of its own. */
async function start(): Promise<number> {
  const [first, ...rest] = process.argv.slice(2)
  return first === 'adopt' ? adopt(rest, adoptOptions()) : main()
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      'agent-within': { type: 'string', default: AGENT_WITHIN_SECONDS },
      'token-file': { type: 'string' },
      server: { type: 'string' },
      name: { type: 'string' },
      wait: { type: 'string', default: ENROL_WAIT },
      purge: { type: 'boolean', default: false },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.version === true) {
    process.stdout.write(`${VERSION}\n`)
    return 0
  }
  if (values.help === true) {
    process.stdout.write(USAGE)
    return 0
  }
  const [command] = positionals
  if (positionals.length === 1 && command === 'enrol') return ask(values)
  if (positionals.length === 1 && command === 'uninstall') return remove(values.config ?? CONFIG_PATH, values)
  const local = LOCAL_COMMANDS.find((name) => name === command)
  const seconds = Number(values['agent-within'])
  if (positionals.length !== 1 || !(seconds > 0) || (local === undefined && command !== 'run')) {
    process.stderr.write(USAGE)
    return 2
  }
  const config = await loadConfig(values.config ?? CONFIG_PATH)
  return local === undefined ? run(config) : tell(local, config, seconds * 1_000)
}

type EnrolValues = {
  readonly config?: string | undefined
  readonly 'token-file'?: string | undefined
  readonly server?: string | undefined
  readonly name?: string | undefined
  readonly wait: string
}

async function ask(values: EnrolValues): Promise<number> {
  const { 'token-file': tokenFile, server, name = null } = values
  const [, count, unit] = /^([1-9]\d{0,4})([smh])$/.exec(values.wait) ?? []
  if (tokenFile === undefined || server === undefined || count === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const waitMs = Number(count) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const configPath = values.config ?? CONFIG_PATH
  await enrol({ tokenFile, server, name, configPath, waitMs, say, signal: stopSignal() })
  return 0
}

async function remove(configPath: string, { purge }: { readonly purge: boolean }): Promise<number> {
  const config = await loadConfig(configPath)
  const identity = purge ? 'purged' : 'kept'
  const lines = await uninstall({ config, configPath, identity, signal: stopSignal() })
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
  return 0
}

function adoptOptions(): AdoptOptions {
  return {
    env: registryEnvironment(),
    programPath: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    say: (line) => void process.stdout.write(`${line}\n`),
    signal: stopSignal(),
  }
}

async function tell(command: LocalCommand, config: AgentConfig, agentWithinMs: number): Promise<number> {
  const { lines, exitCode } = await answer(command, { config, agentWithinMs, signal: stopSignal() })
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
  return exitCode
}

function stopSignal(): AbortSignal {
  const stop = new AbortController()
  // Not once: while a subprocess runs, signal-exit ends this program at a signal that nobody else listens to.
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort())
  return stop.signal
}

async function run(config: AgentConfig): Promise<number> {
  // Wherever the agent was started: its working directory must not hold a file system that a reboot unmounts.
  process.chdir('/')
  const log = pino(
    { level: config.log.level, base: { host: config.name } },
    destination({ dest: 2, sync: true }),
  )
  const agent = await startAgent({ config, log }, stopSignal())
  log.info({ hostId: agent.hostId, version: VERSION }, 'started')
  await agent.stopped
  log.info('stopped')
  return 0
}

function report(error: unknown): number {
  if (error instanceof AgentError && error.code === 'Stopped') return 0
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`bootfleet-agent: ${message}\n`)
  const wrongUse =
    error instanceof TypeError || (error instanceof AgentError && error.code === 'ConfigInvalid')
  return wrongUse ? 2 : 1
}

process.exit(await start().catch(report))
