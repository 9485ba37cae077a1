import { homedir } from 'node:os'
import { Command } from '@commander-js/extra-typings'
import pino from 'pino'
import type { Logger } from 'pino'
import { readConfig } from './config.ts'
import type { Config } from './config.ts'
import { runController } from './controller.ts'
import { ControllerError } from './errors.ts'
import { defaultAuthFiles } from './images/credentials.ts'
import { createRegistryClient } from './images/registry-client.ts'
import { initPki, openPki } from './pki/pki-directory.ts'
import { connectStore } from './store/store.ts'
import { VERSION } from '../proto/version.ts'

async function run(configPath: string): Promise<void> {
  const config = await readConfig(configPath)
  const logger = createLogger(config)
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      logger.info({ signal: name }, 'stopping')
      stop.abort()
    })
  }
  // Until there is a source to poll, a SIGHUP must not end the process, as it does without a listener.
  process.on('SIGHUP', () => undefined)
  try {
    await serve(config, logger, stop.signal)
  } catch (error) {
    if (error instanceof ControllerError) throw error
    if (!stop.signal.aborted) {
      logger.fatal({ err: error }, 'defect, ending')
      process.exitCode = 1
      return
    }
  }
  logger.info('stopped')
}

async function serve(config: Config, logger: Logger, signal: AbortSignal): Promise<void> {
  const pki = await openPki(config.pki.dir)
  const { url: natsUrl, monitorUrl } = config.nats
  const store = await connectStore({ natsUrl, monitorUrl, signal, logger })
  const { plainHttpHosts } = config.registry
  const authFiles = defaultAuthFiles(process.env, homedir())
  const registry = createRegistryClient({ plainHttpHosts, authFiles })
  const onSyncSignal = (sync: () => void): void => void process.on('SIGHUP', sync)
  try {
    await runController({ config, pki, store, registry, logger, onSyncSignal, signal })
  } finally {
    await registry.close()
    await store.close()
  }
}

function createLogger(config: Config): Logger {
  const redact = ['password', 'token', 'keyPem', '*.password', '*.token', '*.keyPem', '*.authorization']
  return pino(
    { name: 'bootfleet-controller', level: config.log.level, redact },
    pino.destination({ fd: 2, sync: true }),
  )
}

const program = new Command('bootfleet-controller')
  .description('Turns git commits into staged rollouts over a fleet of bootable-container hosts.')
  .version(VERSION)

program
  .command('run')
  .description('serve hosts and operators until SIGTERM; SIGHUP polls git at once')
  .requiredOption('--config <file>', 'configuration file (YAML)')
  .action(({ config }) => run(config))

program
  .command('pki')
  .description('keys and certificates')
  .command('init')
  .description('make the CA, the server, operator and director keys of a new installation; never overwrites')
  .requiredOption('--dir <dir>', 'where to write them')
  .option('--dns <name...>', 'further names of the controller, beside localhost')
  .option('--ip <address...>', 'further addresses of the controller, beside the loopback')
  .option('--if-missing', 'do nothing when all of them exist')
  .action(async ({ dir, dns = [], ip = [], ifMissing = false }) => {
    const written = await initPki({ dir, dns, ip, ifMissing })
    process.stderr.write(
      written ? `wrote keys and certificates to ${dir}\n` : `${dir} has them all already\n`,
    )
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof ControllerError)) throw error
  process.stderr.write(`bootfleet-controller: ${error.message}\n`)
  process.exitCode = 1
}
