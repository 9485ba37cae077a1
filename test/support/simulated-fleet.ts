import { setMaxListeners } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import type { NatsConnection } from '@nats-io/transport-node'
import { pino } from 'pino'
import { startAgent } from '../../agent/agent.ts'
import { parseConfig } from '../../agent/config.ts'
import type { HostDriver } from '../../agent/hosts/host-driver.ts'
import { openSimulatedHost } from '../../agent/hosts/simulated.ts'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { EnrolHostResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from './controller.ts'
import type { Controller } from './controller.ts'

export type SimulatedFleet = {
  /** Most hosts that were at once past the start of their activation and not yet proven healthy. */
  readonly unavailableMax: () => number
  /** Digest that each host's machine runs, counted. */
  stop(): Promise<void>
}

export type SimulatedFleetOptions = {
  readonly dir: string
  readonly hosts: number
  /** How long each operation of a machine takes. Default: 20. */
  readonly stepDelayMs?: number
  readonly controller: Controller
  readonly nats: { readonly url: string; readonly connection: NatsConnection }
  readonly seed: { readonly digest: string; readonly version: string }
}

/** Real agents, each with its own identity, stream and subscription; only the machine below is simulated. */
export async function startSimulatedFleet(options: SimulatedFleetOptions): Promise<SimulatedFleet> {
  const stopping = new AbortController()
  // Every host listens; Node warns above ten.
  setMaxListeners(0, stopping.signal)
  const unavailable = new Set<string>()
  let unavailableMax = 0
  const watch = (name: string, driver: HostDriver): HostDriver => ({
    ...driver,
    activate: async (deploymentId, signal) => {
      unavailable.add(name)
      unavailableMax = Math.max(unavailableMax, unavailable.size)
      await driver.activate(deploymentId, signal)
    },
    runCheck: async (check, signal) => {
      const result = await driver.runCheck(check, signal)
      if (result.kind === 'passed') unavailable.delete(name)
      return result
    },
  })
  const names = Array.from(
    { length: options.hosts },
    (_, number) => `host-${String(number).padStart(3, '0')}`,
  )
  const agents = await Promise.all(
    names.map((name) => startHost(name, { ...options, watch, signal: stopping.signal })),
  )
  return {
    unavailableMax: () => unavailableMax,
    async stop() {
      stopping.abort()
      await Promise.all(agents.map((agent) => agent.stopped))
    },
  }
}

type StartOptions = SimulatedFleetOptions & {
  readonly watch: (name: string, driver: HostDriver) => HostDriver
  readonly signal: AbortSignal
}

async function startHost(name: string, options: StartOptions): ReturnType<typeof startAgent> {
  const { controller, nats, seed, signal } = options
  const stateDir = join(options.dir, name)
  const identityDir = join(stateDir, 'identity')
  await mkdir(identityDir, { recursive: true })
  const host = { driver: 'simulated', image: seed }
  const settings = {
    name,
    stateDir,
    controller: { address: controller.address },
    nats: { url: nats.url },
    host,
  }
  const config = parseConfig(JSON.stringify(settings), name)
  const check = (
    _name: string,
    version: string,
  ): { kind: 'passed' } | { kind: 'failed'; detail: string; final: boolean } =>
    version.includes('broken')
      ? { kind: 'failed', detail: 'exit 1: the page is gone', final: true }
      : { kind: 'passed' }
  const machine = await openSimulatedHost({
    path: join(stateDir, 'machine.json'),
    seed: { ...seed, manifestDigest: seed.digest },
    stepDelayMs: options.stepDelayMs ?? 20,
    check,
  })
  const starting = startAgent(
    {
      config,
      log: pino({ level: 'silent' }),
      natsConnection: nats.connection,
      driver: options.watch(name, machine),
      checkIntervalMs: 50,
    },
    signal,
  )
  await enrol(name, identityDir, controller)
  return starting
}

async function enrol(name: string, identityDir: string, controller: Controller): Promise<void> {
  const certificateRequestPem = await readWhenThere(join(identityDir, 'request.csr'))
  const request = create(EnrolHostRequestSchema, { name, labels: { site: 'eu' }, certificateRequestPem })
  const response = await call<EnrolHostResponse>((done) =>
    controller.operator.enrolHost(request, { deadline: Date.now() + 30_000 }, done),
  )
  const director = await readFile(join(controller.pkiDir, 'director.pem'), 'utf8')
  await writeFile(join(identityDir, 'ca.pem'), response.certificateAuthorityPem)
  await writeFile(join(identityDir, 'director.pem'), director)
  await writeFile(join(identityDir, 'certificate.pem'), response.certificatePem)
}

async function readWhenThere(path: string): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.includes('END CERTIFICATE REQUEST')) return text
    await sleep(50)
  }
  throw new Error(`no certificate request at ${path}`)
}
