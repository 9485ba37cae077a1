import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import type { HostFacts, Image } from '../update/types.ts'
import { toOciArchitecture } from './architecture.ts'
import type { CheckResult, HostDriver, PullOptions } from './host-driver.ts'

const SimulatedDeployment = z.strictObject({
  deploymentId: z.string(),
  digest: z.string(),
  manifestDigest: z.string(),
  version: z.string(),
})
const Machine = z.strictObject({
  bootId: z.string(),
  currentId: z.string(),
  defaultId: z.string(),
  nextNumber: z.int(),
  pulled: z.array(z.string()),
  deployments: z.array(SimulatedDeployment),
})
type Machine = z.infer<typeof Machine>

export type SimulatedOptions = {
  /** The machine's disk: one JSON file. */
  readonly path: string
  /** What a new machine runs. */
  readonly seed: { readonly digest: string; readonly manifestDigest: string; readonly version: string }
  /** How long every operation takes. */
  readonly stepDelayMs: number
  /** What a check says on an image of this version. */
  readonly check: (name: string, version: string) => CheckResult
  /** True where an image of this version never comes up, and the one before boots instead. */
  readonly bootFails?: (version: string) => boolean
}

const SIMULATED_SIZE_BYTES = 64 * 1024 * 1024

/** A host without a machine, for load tests and for places without btrfs; its disk survives the process. */
export async function openSimulatedHost(options: SimulatedOptions): Promise<HostDriver> {
  const { path, stepDelayMs } = options
  const read = () => readMachine(path)
  const write = (machine: Machine) => writeDurably(path, `${JSON.stringify(machine)}\n`, 0o600)
  const pause = (signal: AbortSignal) => pauseFor(stepDelayMs, signal)
  if ((await read()) === null) await write(newMachine(options.seed))

  const pull = async (image: Image, { maxBytes, onProgress, signal }: PullOptions) => {
    if (maxBytes < SIMULATED_SIZE_BYTES) throw tooLarge(image, maxBytes)
    for (const part of [1, 2, 3, 4]) {
      await pauseFor(stepDelayMs / 4, signal)
      onProgress((SIMULATED_SIZE_BYTES / 4) * part, SIMULATED_SIZE_BYTES)
    }
    const machine = await readOrFail(path)
    await write({ ...machine, pulled: [...new Set([...machine.pulled, image.digest])] })
    return { manifestDigest: image.manifestDigest }
  }

  return {
    name: 'simulated',
    architecture: toOciArchitecture(process.arch),
    prepare: async () => {},
    inspect: async () => factsOf(await readOrFail(path)),
    osRelease: async () => ({ id: 'simulated', version: currentOf(await readOrFail(path)).version }),
    pull,
    stage: async (image, { signal }) => {
      await pause(signal)
      const machine = await readOrFail(path)
      if (!machine.pulled.includes(image.digest)) {
        throw new AgentError('StageFailed', `staging ${image.digest}: it is not pulled`)
      }
      const deploymentId = `${image.manifestDigest.slice('sha256:'.length)}-work${machine.nextNumber}`
      const { digest, manifestDigest, version } = image
      const deployments = [...machine.deployments, { deploymentId, digest, manifestDigest, version }]
      await write({ ...machine, nextNumber: machine.nextNumber + 1, deployments })
      return deploymentId
    },
    activate: async (deploymentId, signal) => {
      await pause(signal)
      const machine = await readOrFail(path)
      if (!machine.deployments.some((deployment) => deployment.deploymentId === deploymentId)) {
        throw new AgentError('ActivateFailed', `activating ${deploymentId}: there is no such deployment`)
      }
      await write({ ...machine, defaultId: deploymentId })
    },
    reboot: async (signal) => {
      await pause(signal)
      await write(boot(await readOrFail(path), options.bootFails ?? (() => false)))
    },
    runCheck: async (name) => options.check(name, currentOf(await readOrFail(path)).version),
  }
}

function newMachine(seed: SimulatedOptions['seed']): Machine {
  const deploymentId = `${seed.manifestDigest.slice('sha256:'.length)}-work1`
  return {
    bootId: randomUUID(),
    currentId: deploymentId,
    defaultId: deploymentId,
    nextNumber: 2,
    pulled: [],
    deployments: [{ deploymentId, ...seed }],
  }
}

function boot(machine: Machine, bootFails: (version: string) => boolean): Machine {
  const wanted = machine.deployments.find(({ deploymentId }) => deploymentId === machine.defaultId)
  const comesUp = wanted !== undefined && !bootFails(wanted.version)
  return { ...machine, bootId: randomUUID(), currentId: comesUp ? machine.defaultId : machine.currentId }
}

function factsOf(machine: Machine): HostFacts {
  const deployments = machine.deployments.map(({ deploymentId, digest, manifestDigest }) => ({
    deploymentId,
    digest,
    manifestDigest,
  }))
  const find = (id: string) => deployments.find(({ deploymentId }) => deploymentId === id) ?? null
  return {
    bootId: machine.bootId,
    current: find(machine.currentId),
    default: find(machine.defaultId),
    deployments,
  }
}

function currentOf(machine: Machine): Machine['deployments'][number] {
  const current = machine.deployments.find(({ deploymentId }) => deploymentId === machine.currentId)
  if (current === undefined) throw new AgentError('InspectFailed', `reading the machine: nothing is booted`)
  return current
}

async function readMachine(path: string): Promise<Machine | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new AgentError('InspectFailed', `reading ${path}: ${error.message}`, { cause: error })
  })
  return text === null ? null : Machine.parse(JSON.parse(text))
}

async function readOrFail(path: string): Promise<Machine> {
  const machine = await readMachine(path)
  if (machine === null) throw new AgentError('InspectFailed', `reading ${path}: the machine's disk is gone`)
  return machine
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    throw new AgentError('Stopped', 'waiting for a simulated operation: stopped', { cause: error })
  })
}

function tooLarge(image: Image, maxBytes: number): AgentError {
  const message = `pulling ${image.digest}: ${SIMULATED_SIZE_BYTES} bytes, and the plan allows ${maxBytes}`
  return new AgentError('DownloadTooLarge', message)
}
