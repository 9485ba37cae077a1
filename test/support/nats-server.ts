import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export type NatsServer = {
  readonly url: string
  readonly monitorUrl: string
  /** Ends the process as a power cut would; {@link NatsServer.restart} starts it again on the same data. */
  kill9(): Promise<void>
  stop(): Promise<void>
  restart(): Promise<void>
}

const PROGRAM = fileURLToPath(new URL('../../.cache/tools/nats-server', import.meta.url))
const START_TIMEOUT_MS = 20_000

/** A real nats-server with JetStream on free ports of the loopback; `dir` keeps its data past {@link NatsServer.stop}. */
export async function startNatsServer(
  options: { readonly dir?: string; readonly syncAlways?: boolean } = {},
): Promise<NatsServer> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'bootfleet-nats-')))
  const [port, monitorPort] = [await freePort(), await freePort()]
  const config = join(dir, 'nats.conf')
  const sync = options.syncAlways === false ? '' : 'sync_interval: always'
  await writeFile(
    config,
    `listen: 127.0.0.1:${port}\nhttp: 127.0.0.1:${monitorPort}\njetstream {\nstore_dir: ${JSON.stringify(join(dir, 'data'))}\n${sync}\n}\n`,
  )
  const monitorUrl = `http://127.0.0.1:${monitorPort}`
  let process = await start(config, monitorUrl)
  return {
    url: `nats://127.0.0.1:${port}`,
    monitorUrl,
    kill9: () => end(process, 'SIGKILL'),
    async stop() {
      await end(process, 'SIGTERM')
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    },
    async restart() {
      await end(process, 'SIGTERM')
      process = await start(config, monitorUrl)
    },
  }
}

async function start(config: string, monitorUrl: string): Promise<ChildProcess> {
  const process = spawn(PROGRAM, ['-c', config], { stdio: 'ignore' })
  const deadlineMs = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadlineMs) {
    if (process.exitCode !== null) throw new Error(`nats-server ended with ${process.exitCode}: ${config}`)
    const healthy = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(1_000) }).then(
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
