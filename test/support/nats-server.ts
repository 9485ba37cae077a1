import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { INIT_DEFAULTS, initTrust, isComplete } from '../../trust/init.ts'
import { natsServerConfig } from '../../trust/nats-server-config.ts'
import { provisionStreams } from './nats-users.ts'

export type NatsServer = {
  readonly url: string
  readonly monitorUrl: string
  /** What `bootfleet trust init` makes: a controller of this server takes the folder "controller". */
  readonly trustDir: string
  /** Ends the process as a power cut would; {@link NatsServer.restart} starts it again on the same data. */
  kill9(): Promise<void>
  stop(): Promise<void>
  restart(): Promise<void>
  /** It comes back without anything that it kept, with streams as after an installation. */
  wipe(): Promise<void>
  /** Has it read its configuration anew, some time soon. */
  reload(): void
  /** Makes the streams that are missing, as at an installation; done once at the start. */
  provision(): Promise<void>
}

export type NatsServerOptions = {
  /** Keeps data past {@link NatsServer.stop}, and the trust if `trustDir` names no other. */
  readonly dir?: string
  readonly trustDir?: string
  /** Files of a CA to use instead of a new one. */
  readonly importCa?: { readonly certificate: string; readonly key: string }
  /** How many release keys a new trust gets. Default: none, so that images need no signature. */
  readonly releaseKeys?: number
  /** Default: true. */
  readonly provisioned?: boolean
  /** Instead of the settings that it always has. */
  readonly change?: (config: string) => string
}

const PROGRAM = fileURLToPath(new URL('../../.cache/tools/nats-server', import.meta.url))
const START_TIMEOUT_MS = 100_000

/** A real nats-server on free ports of the loopback, configured and provisioned as in production. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'bootfleet-nats-')))
  await mkdir(dir, { recursive: true })
  const trustDir = options.trustDir ?? join(dir, 'trust')
  if (!(await isComplete(trustDir))) {
    const { importCa = null, releaseKeys = 0 } = options
    await initTrust({ ...INIT_DEFAULTS, dir: trustDir, importCa, releaseKeys })
  }
  const [port, monitorPort] = [await freePort(), await freePort()]
  const config = join(trustDir, 'nats', 'test.conf')
  const text = natsServerConfig({
    dir: join(trustDir, 'nats'),
    listen: `127.0.0.1:${port}`,
    monitor: `127.0.0.1:${monitorPort}`,
    storeDir: join(dir, 'data'),
  })
  await writeFile(config, options.change?.(text) ?? text)
  const monitorUrl = `http://127.0.0.1:${monitorPort}`
  let process = await start(config, monitorUrl)
  const server = {
    url: `nats://127.0.0.1:${port}`,
    monitorUrl,
    trustDir,
    kill9: () => end(process, 'SIGKILL'),
    async stop() {
      await end(process, 'SIGTERM')
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    },
    async restart() {
      await end(process, 'SIGTERM')
      process = await start(config, monitorUrl)
    },
    async wipe() {
      await end(process, 'SIGKILL')
      await rm(join(dir, 'data'), { recursive: true, force: true })
      process = await start(config, monitorUrl)
      await server.provision()
    },
    reload: () => void process.kill('SIGHUP'),
    provision: () => provisionStreams(server),
  }
  if (options.provisioned !== false) await server.provision()
  return server
}

async function start(config: string, monitorUrl: string): Promise<ChildProcess> {
  const process = spawn(PROGRAM, ['-c', config], { stdio: 'ignore' })
  const deadlineMs = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadlineMs) {
    if (process.exitCode !== null) throw new Error(`nats-server ended with ${process.exitCode}: ${config}`)
    const healthy = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(20_000) }).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return process
    await sleep(25)
  }
  await end(process, 'SIGKILL')
  throw new Error(`nats-server did not become healthy: ${config}`)
}

async function end(process: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()))
  process.kill(signal)
  await ended
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
