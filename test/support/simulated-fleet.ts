import { setMaxListeners } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { pino } from 'pino'
import { startAgent } from '../../agent/agent.ts'
import { parseConfig } from '../../agent/config.ts'
import type { HostDriver } from '../../agent/hosts/host-driver.ts'
import { openSimulatedHost } from '../../agent/hosts/simulated.ts'
import { EnrolHostRequestSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { EnrolHostResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { CHAIN_FILE, chainText } from '../../trust/chain-file.ts'
import { call } from './controller.ts'
import type { Controller } from './controller.ts'

export type SimulatedFleet = {
  /** Most hosts that were at once past the start of their activation and neither proven healthy nor back. */
  readonly unavailableMax: () => number
  /** How many pulls, deployments, activations, ways back and blessings the machines have begun. */
  readonly steps: () => number
  /** As a person does, for whom the controller does not know the hosts any more; they go on with what they hold. */
  enrolAgain(): Promise<void>
  stop(): Promise<void>
}

export type SimulatedFleetOptions = {
  readonly dir: string
  readonly hosts: number
  /** How long each operation of a machine takes. Default: 20. */
  readonly stepDelayMs?: number
  readonly controller: Controller
  readonly nats: { readonly url: string }
  readonly seed: { readonly digest: string; readonly version: string }
  /** Where hosts come back whose certificate counts no more. Default: nowhere. */
  readonly joinAddress?: string | undefined
}

/** Real agents, each with its own identity, stream and subscription; only the machine below is simulated. */
export async function startSimulatedFleet(options: SimulatedFleetOptions): Promise<SimulatedFleet> {
  const stopping = new AbortController()
  // Every host listens; Node warns above ten.
  setMaxListeners(0, stopping.signal)
  const unavailable = new Set<string>()
  const goingBack = new Set<string>()
  let unavailableMax = 0
  let steps = 0
  const watch = (name: string, driver: HostDriver): HostDriver => ({
    ...driver,
    pull: (image, pulling) => {
      steps += 1
      return driver.pull(image, pulling)
    },
    stage: (what, signal) => {
      steps += 1
      return driver.stage(what, signal)
    },
    rollback: async (deploymentId, bad, signal) => {
      steps += 1
      await driver.rollback(deploymentId, bad, signal)
      goingBack.add(name)
    },
    reboot: async (signal) => {
      await driver.reboot(signal)
      if (goingBack.delete(name)) unavailable.delete(name)
    },
    activate: async (deploymentId, signal) => {
      steps += 1
      unavailable.add(name)
      unavailableMax = Math.max(unavailableMax, unavailable.size)
      await driver.activate(deploymentId, signal)
    },
    bless: async (deploymentId, signal) => {
      steps += 1
      await driver.bless(deploymentId, signal)
      unavailable.delete(name)
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
    steps: () => steps,
    async enrolAgain() {
      for (const name of names) await enrol(name, join(options.dir, name, 'identity'), options.controller)
    },
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
  const { controller, nats, seed, joinAddress, signal } = options
  const stateDir = join(options.dir, name)
  const identityDir = join(stateDir, 'identity')
  await mkdir(identityDir, { recursive: true })
  const host = { driver: 'simulated', image: seed }
  const settings = {
    name,
    stateDir,
    controller: { address: controller.address, joinAddress },
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
      driver: options.watch(name, machine),
      checkIntervalMs: 50,
    },
    signal,
  )
  await letIn(name, identityDir, controller)
  return starting
}

/** What an agent waits for that has just been started for the first time. */
export async function letIn(name: string, identityDir: string, controller: Controller): Promise<void> {
  const response = await enrol(name, identityDir, controller)
  await writeFile(join(identityDir, 'ca.pem'), response.certificateAuthorityPem)
  await writeFile(join(identityDir, CHAIN_FILE), chainText(response.trustBundles))
  await writeFile(join(identityDir, 'nats.jwt'), response.natsUserJwt)
  await writeFile(join(identityDir, 'certificate.pem'), response.certificatePem)
}

async function enrol(name: string, identityDir: string, controller: Controller): Promise<EnrolHostResponse> {
  const certificateRequestPem = await readWhenThere(join(identityDir, 'request.csr'))
  const natsUserPublicKey = (await readFile(join(identityDir, 'nats.pub'), 'utf8')).trim()
  const labels = { site: 'eu' }
  const request = create(EnrolHostRequestSchema, { name, labels, certificateRequestPem, natsUserPublicKey })
  return call<EnrolHostResponse>((done) =>
    controller.operator.enrolHost(request, { deadline: Date.now() + 180_000 }, done),
  )
}

async function readWhenThere(path: string): Promise<string> {
  for (let tries = 0; tries < 2_400; tries += 1) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.includes('END CERTIFICATE REQUEST')) return text
    await sleep(50)
  }
  throw new Error(`no certificate request at ${path}`)
}
