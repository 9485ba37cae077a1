import { parseArgs } from 'node:util'
import { destination, pino } from 'pino'
import { startAgent } from './agent.ts'
import { loadConfig } from './config.ts'
import { AgentError } from './errors.ts'
import { VERSION } from '../proto/version.ts'

const USAGE = `bootfleet-agent ${VERSION}: keeps this host on the image its plan names

usage:
  bootfleet-agent run --config FILE   run until SIGTERM or SIGINT
  bootfleet-agent --version
  bootfleet-agent --help

exit status: 0 stopped as asked, 1 cannot go on, 2 wrong use or configuration
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string' },
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
  if (positionals.length !== 1 || positionals[0] !== 'run' || values.config === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  return run(values.config)
}

async function run(configPath: string): Promise<number> {
  const config = await loadConfig(configPath)
  // Wherever the agent was started: its working directory must not hold a file system that a reboot unmounts.
  process.chdir('/')
  const log = pino(
    { level: config.log.level, base: { host: config.name } },
    destination({ dest: 2, sync: true }),
  )
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  const agent = await startAgent({ config, log }, stop.signal)
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

process.exit(await main().catch(report))
