import { mkdir, realpath } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import * as z from 'zod'
import { GetStatusRequestSchema, SyncRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { INIT_DEFAULTS, initTrust, isComplete } from '../../trust/init.ts'
import { resignAccounts } from '../../trust/nats-resign.ts'
import { call, closeClient, openClient } from '../client.ts'
import type { OperatorClient } from '../client.ts'
import { readContext } from '../context.ts'
import { CliError } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import {
  contextFile,
  controllerConfig,
  natsConfig,
  registriesConf,
  registryAddress,
  registryConfig,
} from './config-files.ts'
import { baseVersion, openHost } from './fleet.ts'
import { buildImage } from './image.ts'
import type { ImageRequest, PushedImage } from './image.ts'
import { devLayout, hostNames } from './layout.ts'
import type { DevLayout } from './layout.ts'
import { openPorts } from './ports.ts'
import type { Ports } from './ports.ts'
import { run } from './process.ts'
import { openFleetFile, openRepository } from './repository.ts'
import { readState, writeWhole } from './state-file.ts'
import { endLeftovers, openService } from './supervisor.ts'
import type { Service, ServiceSpec } from './supervisor.ts'
import { findProgram, findTools } from './tools.ts'
import type { Tools } from './tools.ts'

export type Dev = {
  readonly layout: DevLayout
  readonly tools: Tools
  readonly hosts: readonly string[]
  readonly pushImage: (request: ImageRequest) => Promise<PushedImage>
  readonly close: () => Promise<void>
}

export type DevOptions = { readonly stateDir: string; readonly hosts: number; readonly terminal: Terminal }

const answerTimeoutMs = 60_000
/** Disks are made two at a time: they wait for the disk below, not for the processor. */
const hostsAtOnce = 2
const PushedImage = z.strictObject({
  repository: z.string().min(1),
  digest: z.string().startsWith('sha256:'),
})

/** Starts a whole fleet below one directory, or takes up the one that is there. */
export async function openDev({ stateDir, hosts, terminal }: DevOptions): Promise<Dev> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  // Mount tables speak of real paths.
  const layout = devLayout(await realpath(stateDir))
  const tools = await findTools(terminal.environment)
  if (tools.simulatedBecause !== null) {
    terminal.note(`! hosts are simulated (${tools.simulatedBecause}); version 3.0.0 fails its check there\n`)
  }
  const names = hostNames(hosts)
  await endLeftovers(layout, ['controller', ...names, 'registry', 'nats'], terminal.note)
  const ports = await openPorts(layout)
  const opened: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).toReversed()) await closeOne()
  }
  const pushImage = (request: ImageRequest): Promise<PushedImage> =>
    buildImage(layout, { ...tools, registry: registryAddress(ports), signal: terminal.signal }, request)
  try {
    const env = { CONTAINERS_REGISTRIES_CONF: layout.registriesConf }
    const setUp: SetUp = {
      layout,
      ports,
      tools,
      terminal,
      env,
      keep: (closeOne) => void opened.push(closeOne),
    }
    await openTrust(setUp)
    await openPeers(setUp)
    const image = await openBaseImage(setUp, pushImage)
    await openRepository(layout, terminal.signal)
    const client = await openController(setUp)
    await openHosts(setUp, names, { image, client })
    await openFleetFile(layout, { image, version: baseVersion }, terminal.signal)
    await call(client, client.service.sync, create(SyncRequestSchema))
    return { layout, tools, hosts: names, pushImage, close }
  } catch (error) {
    await close()
    throw error
  }
}

type SetUp = {
  readonly layout: DevLayout
  readonly ports: Ports
  readonly tools: Tools
  readonly terminal: Terminal
  readonly env: Readonly<Record<string, string>>
  readonly keep: (close: () => Promise<void>) => void
}

async function serve(setUp: SetUp, spec: Omit<ServiceSpec, 'env'>): Promise<void> {
  const service = await openService({ ...spec, env: setUp.env }, setUp.layout, setUp.terminal.note)
  setUp.keep(service.stop)
}

/** One that an earlier version made lets everybody do in NATS what they may do by this one. */
async function openTrust({ layout }: SetUp): Promise<void> {
  const { trustDir, natsAccounts: path, natsAccountsKey: signerFile } = layout
  if (!(await isComplete(trustDir))) await initTrust({ ...INIT_DEFAULTS, dir: trustDir })
  try {
    await resignAccounts({ path, signerFile, revoke: [], newKeysDir: null, nowMs: Date.now() })
  } catch (cause) {
    throw new CliError(
      'StateInvalid',
      `starting dev in ${layout.stateDir}: ${cause instanceof Error ? cause.message : String(cause)}; it was made by a version too old to go on with, so remove it or name another`,
      { cause },
    )
  }
}

async function openPeers(setUp: SetUp): Promise<void> {
  const { layout, ports, tools, terminal } = setUp
  await writeWhole(layout.registriesConf, registriesConf(ports))
  await writeWhole(layout.natsConfig, natsConfig(layout, ports))
  await writeWhole(layout.registryConfig, registryConfig(layout, ports))
  await serve(setUp, { name: 'nats', command: tools.natsServer, args: ['-c', layout.natsConfig] })
  await serve(setUp, {
    name: 'registry',
    command: tools.dockerRegistry,
    args: ['serve', layout.registryConfig],
  })
  await untilAnswers(terminal.signal, `http://127.0.0.1:${ports.natsMonitor}/healthz`)
  await untilAnswers(terminal.signal, `http://${registryAddress(ports)}/v2/`)
  terminal.note(`✔ nats and registry are up (${registryAddress(ports)})\n`)
}

async function openBaseImage(
  { layout, terminal }: SetUp,
  pushImage: (request: ImageRequest) => Promise<PushedImage>,
): Promise<PushedImage> {
  const kept = await readState(layout.base, PushedImage)
  if (kept !== null) return kept
  const image = await pushImage({ version: baseVersion, broken: false })
  await writeWhole(layout.base, `${JSON.stringify(image)}\n`)
  terminal.note(`✔ image ${baseVersion} is built and pushed\n`)
  return image
}

async function openController(setUp: SetUp): Promise<OperatorClient> {
  const { layout, ports, tools, terminal } = setUp
  const program = await findProgram(tools, 'bootfleet-controller')
  const { signal } = terminal
  await mkdir(layout.controllerState, { recursive: true })
  await writeWhole(layout.controllerConfig, controllerConfig(layout, ports))
  await writeWhole(layout.context, contextFile(layout, ports))
  const provision = [program, 'provision', '--config', layout.controllerConfig]
  await run(process.execPath, [...provision, '--key', layout.natsProvisioner], { signal })
  await serve(setUp, {
    name: 'controller',
    command: process.execPath,
    args: [program, 'run', '--config', layout.controllerConfig],
  })
  const client = await openClient(await readContext({ path: layout.context, from: 'flag' }))
  setUp.keep(() => Promise.resolve(closeClient(client)))
  const deadlineMs = performance.now() + answerTimeoutMs
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted()
    const answered = await call(client, client.service.getStatus, create(GetStatusRequestSchema)).then(
      () => true,
      () => false,
    )
    if (answered) {
      terminal.note('✔ controller is up\n')
      return client
    }
    await sleep(100, undefined, { signal })
  }
  throw new CliError(
    'TimedOut',
    `the controller did not answer for ${answerTimeoutMs / 1000} s; see ${layout.logs}`,
  )
}

async function openHosts(
  setUp: SetUp,
  names: readonly string[],
  { image, client }: { readonly image: PushedImage; readonly client: OperatorClient },
): Promise<void> {
  const waiting = [...names]
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const host: Service = await openHost({ ...setUp, image, client }, name)
      setUp.keep(host.stop)
      setUp.terminal.note(`✔ ${name} is up and enrolled\n`)
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: hostsAtOnce }, work))
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
}

async function untilAnswers(signal: AbortSignal, url: string): Promise<void> {
  const deadlineMs = performance.now() + answerTimeoutMs
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted()
    const ok = await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) return
    await sleep(50, undefined, { signal })
  }
  throw new CliError('TimedOut', `waited ${answerTimeoutMs / 1000} s for ${url}`)
}
