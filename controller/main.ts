import { homedir } from 'node:os'
import { Command } from '@commander-js/extra-typings'
import pino from 'pino'
import type { Logger } from 'pino'
import { createMeasurer } from './analysis/measure.ts'
import { readConfig } from './config.ts'
import type { Config } from './config.ts'
import { runController } from './controller.ts'
import { ControllerError } from './errors.ts'
import { defaultAuthFiles } from './images/credentials.ts'
import { readImageTrust } from './image-trust.ts'
import { createRegistryClient } from './images/registry-client.ts'
import { openNatsIdentity, openNatsUserFor, openProvisioner } from './pki/nats-keys.ts'
import type { NatsIdentity } from './pki/nats-keys.ts'
import { openPki } from './pki/pki-directory.ts'
import type { Pki } from './pki/pki-directory.ts'
import { openOidcAccounts } from './oidc-accounts.ts'
import { openOperatorRoles } from './operators/bindings-file.ts'
import { openTrustFile } from './pki/trust-file.ts'
import type { TrustFile } from './pki/trust-file.ts'
import { openRevocations } from './revocations.ts'
import { connectStore, provisionStore } from './store/store.ts'
import type { StoreOptions } from './store/store.ts'
import type { TlsCredentials } from '../proto/nats-tls.ts'
import type { PageFiles } from './web/backend.ts'
import { VERSION } from '../proto/version.ts'

/** Put in by the build. */
declare const BOOTFLEET_PAGE: PageFiles | undefined

async function run(configPath: string): Promise<void> {
  const config = await readConfig(configPath)
  const logger = createLogger(config)
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    // Not once: while a subprocess runs, signal-exit ends this program at a signal that nobody else listens to.
    process.on(name, () => {
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
  const trust = await readImageTrust(config.images)
  const trustFile = await openConfiguredTrust(config, pki, logger)
  const { bindingsFile } = config.operators
  const roles = await openOperatorRoles({ bindingsFile, pkiDir: config.pki.dir, logger })
  const accounts = await openOidcAccounts(config.operators.oidc, signal)
  const revocations = await openRevocations(config.stateDir)
  const natsUserFor = await openNatsUserFor(config.pki.dir, config.pki.hostCertificateLife)
  const identity = await openNatsIdentity(config.pki.dir)
  const store = await connectStore({ ...natsOf({ config, pki, trustFile }), identity, signal, logger })
  const { plainHttpHosts } = config.registry
  const authFiles = defaultAuthFiles(process.env, homedir())
  const registry = createRegistryClient({ plainHttpHosts, authFiles })
  const measurer = createMeasurer(config.analysis)
  const page = typeof BOOTFLEET_PAGE === 'undefined' ? null : BOOTFLEET_PAGE
  const onSyncSignal = (sync: () => void): void => void process.on('SIGHUP', sync)
  try {
    const parts = { pki, revocations, natsUserFor, trustFile, roles, accounts, store, registry }
    await runController({ config, ...parts, trust, measurer, page, logger, onSyncSignal, signal })
  } finally {
    await measurer.close()
    await registry.close()
    await store.close()
  }
}

function natsOf(parts: {
  readonly config: Config
  readonly pki: Pki
  readonly trustFile: TrustFile
}): Pick<StoreOptions, 'natsUrl' | 'monitorUrl' | 'credentials'> {
  const { config, pki, trustFile } = parts
  const { url: natsUrl, monitorUrl } = config.nats
  const credentials = (): TlsCredentials => ({
    ...pki.server,
    caPem: trustFile.authorities().join('\n'),
  })
  return { natsUrl, monitorUrl, credentials }
}

/** Streams are made by an identity of their own, which nothing that runs has. */
async function runProvision(configPath: string, keyPath: string): Promise<void> {
  const config = await readConfig(configPath)
  const logger = createLogger(config)
  const { signal } = new AbortController()
  const pki = await openPki(config.pki.dir)
  const trustFile = await openConfiguredTrust(config, pki, logger)
  const identity: NatsIdentity = await openProvisioner(keyPath)
  const made = await provisionStore({ ...natsOf({ config, pki, trustFile }), identity, signal, logger })
  const told = made.length === 0 ? 'every stream is there already' : `made ${made.join(', ')}`
  process.stdout.write(`${told}\n`)
}

function openConfiguredTrust(config: Config, pki: Pki, logger: Logger): Promise<TrustFile> {
  return openTrustFile({
    path: config.pki.trust,
    directorKey: pki.directorKey,
    certificatePem: () => pki.authority.certificatePem,
    logger,
  })
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
  .command('provision')
  .description('make the streams that the NATS server lacks, at an installation and an upgrade')
  .requiredOption('--config <file>', 'configuration file (YAML)')
  .requiredOption('--key <file>', 'nats-provisioner.key of bootfleet trust init')
  .action(({ config, key }) => runProvision(config, key))

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof ControllerError)) throw error
  process.stderr.write(`bootfleet-controller: ${error.message}\n`)
  process.exitCode = 1
}
