import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { openSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { OperatorService } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { createClient } from '../../proto/grpc.ts'
import type { ServiceClient } from '../../proto/grpc.ts'
import { freePort } from './nats-server.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/bootfleet-controller')

export type Controller = {
  readonly address: string
  /** Beside it are the other parts of what `bootfleet trust init` makes. */
  readonly pkiDir: string
  readonly operator: ServiceClient<typeof OperatorService>
  /** Its own log, as text. */
  log(): Promise<string>
  hangUp(): void
  kill9(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export type ControllerOptions = {
  readonly dir: string
  readonly gitUrl: string
  readonly nats: { readonly url: string; readonly monitorUrl: string; readonly trustDir: string }
  readonly plainHttpHosts: readonly string[]
  readonly pollInterval?: string
  readonly env?: Readonly<Record<string, string>>
  /** Further settings of the configuration file; undefined takes one away. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** The real controller program, with the trust of its NATS server; its log is controller.log in `dir`. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const { dir, nats } = options
  const pkiDir = join(nats.trustDir, 'controller')
  const address = `127.0.0.1:${await freePort()}`
  const config = join(dir, 'controller.yaml')
  const settings = {
    stateDir: join(dir, 'controller'),
    git: { url: options.gitUrl, pollInterval: options.pollInterval ?? '1s' },
    registry: { plainHttpHosts: options.plainHttpHosts },
    nats: { url: nats.url, monitorUrl: nats.monitorUrl },
    grpc: { listen: address },
    pki: { dir: pkiDir },
    ...options.settings,
  }
  await writeFile(config, JSON.stringify(settings))
  const log = openSync(join(dir, 'controller.log'), 'a')
  const launch = (): ChildProcess =>
    spawn(PROGRAM, ['run', '--config', config], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
    })
  let child = launch()
  return {
    address,
    pkiDir,
    operator: await connectOperator(address, pkiDir),
    log: () => readFile(join(dir, 'controller.log'), 'utf8'),
    hangUp: () => void child.kill('SIGHUP'),
    kill9: () => end(child, 'SIGKILL'),
    async start() {
      child = launch()
    },
    stop: () => end(child, 'SIGTERM'),
  }
}

async function connectOperator(
  address: string,
  pkiDir: string,
): Promise<ServiceClient<typeof OperatorService>> {
  const files = ['ca.pem', 'operator.key', 'operator.pem'].map((name) =>
    readFile(join(pkiDir, '../operator', name)),
  )
  const [ca, key, certificate] = await Promise.all(files)
  if (ca === undefined || key === undefined || certificate === undefined)
    throw new Error('no operator identity')
  // An IP address is no TLS server name (RFC 6066).
  const options = { 'grpc.ssl_target_name_override': 'localhost' }
  return createClient(OperatorService, {
    address,
    credentials: credentials.createSsl(ca, key, certificate),
    options,
  })
}

/** One unary call as a promise, tried again while the controller is away. */
export async function call<Response>(
  send: (done: (error: ServiceError | null, response?: Response) => void) => unknown,
): Promise<Response> {
  let last: ServiceError | null = null
  for (let tries = 0; tries < 300; tries += 1) {
    const outcome = await new Promise<{ error: ServiceError | null; response?: Response }>((resolve) => {
      send((error, response) => resolve({ error, ...(response === undefined ? {} : { response }) }))
    })
    if (outcome.response !== undefined) return outcome.response
    last = outcome.error
    if (last?.code !== 14) break
    await sleep(100)
  }
  throw last ?? new Error('the call returned nothing')
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill(signal)
  await ended
}
