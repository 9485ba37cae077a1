import { setTimeout as delay } from 'node:timers/promises'
import { writeDurably } from '../durable-file.ts'
import { AgentError } from '../errors.ts'
import type { HealthChecks, Image } from '../update/types.ts'
import { toOciArchitecture } from './architecture.ts'
import {
  boot,
  currentOf,
  factsOf,
  marked,
  newMachine,
  readMachine,
  readOrFail,
  readWith,
  needed,
  repaired,
} from './simulated-machine.ts'
import type { Seed, SimulatedMachine } from './simulated-machine.ts'
import type { CheckResult, HostCheck, HostDriver, PullOptions, ToStage } from './host-driver.ts'

export type SimulatedOptions = {
  /** The machine's disk: one JSON file. */
  readonly path: string
  readonly seed: Seed
  /** How long every operation takes. */
  readonly stepDelayMs: number
  /** What a check says on an image of this version; `reachController` is one of them. */
  readonly check: (name: string, version: string) => CheckResult
  /** True where an image of this version never comes up, and the one before boots instead. */
  readonly bootFails?: (version: string) => boolean
}

const SIMULATED_SIZE_BYTES = 64 * 1024 * 1024

/** A host without a machine, for load tests and for places without btrfs; its disk survives the process. */
export async function openSimulatedHost(options: SimulatedOptions): Promise<HostDriver> {
  const { path, stepDelayMs } = options
  const read = () => readMachine(path)
  const write = (machine: SimulatedMachine) => writeDurably(path, `${JSON.stringify(machine)}\n`, 0o600)
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
    const { manifestDigest, version } = image
    return { manifestDigest, version }
  }

  return {
    name: 'simulated',
    network: 'simulated',
    architecture: toOciArchitecture(process.arch),
    prepare: async () => {
      const { machine, done } = repaired(await readOrFail(path))
      if (done.length > 0) await write(machine)
      return done
    },
    inspect: async () => factsOf(await readOrFail(path)),
    evidence: async ({ deploymentId }) => [`simulated: ${deploymentId} was tried, and did not stay`],
    osRelease: async () => ({ id: 'simulated', version: currentOf(await readOrFail(path)).version }),
    pull,
    // There are no files to look at.
    lint: async () => [],
    loaderFacts: async () => {
      const { kernelArguments = [] } = currentOf(await readOrFail(path))
      return { kernelLine: kernelArguments.map((argument) => ({ argument, source: 'host' })), guard: null }
    },
    etcChanges: async () => ({ kind: 'unknown', problem: 'a simulated host has no /etc' }),
    stage: async (what, signal) => {
      await pause(signal)
      const { machine, deploymentId } = staged(await readOrFail(path), what)
      await write(machine)
      return { deploymentId, etcConflicts: [] }
    },
    ...moves(path, write, pause),
    reboot: async (signal) => {
      await pause(signal)
      await write(boot(await readOrFail(path), options.bootFails ?? (() => false)))
    },
    checksOf: async (health) =>
      namesOf(health).map((name): HostCheck => ({
        name,
        run: async () => options.check(name, currentOf(await readOrFail(path)).version),
      })),
  }
}

function staged(
  machine: SimulatedMachine,
  { image, kernelArguments }: ToStage,
): { readonly machine: SimulatedMachine; readonly deploymentId: string } {
  const { digest, manifestDigest, version } = image
  if (!machine.pulled.includes(digest)) {
    throw new AgentError('StageFailed', `staging ${digest}: it is not pulled`)
  }
  const deploymentId = `${manifestDigest.slice('sha256:'.length)}-work${machine.nextNumber}`
  const wanted = kernelArguments.length > 0 && { kernelArguments: [...kernelArguments] }
  const made = { deploymentId, digest, manifestDigest, version, blessed: false, bad: null, ...wanted }
  const deployments = [...machine.deployments, made]
  return { machine: { ...machine, nextNumber: machine.nextNumber + 1, deployments }, deploymentId }
}

type Write = (machine: SimulatedMachine) => Promise<void>
type Moves = Pick<HostDriver, 'activate' | 'rollback' | 'bless' | 'tidy'>

function moves(path: string, write: Write, pause: (signal: AbortSignal) => Promise<void>): Moves {
  return {
    activate: async (deploymentId, signal) => {
      await pause(signal)
      const machine = await readWith(path, deploymentId, 'ActivateFailed')
      await write({
        ...machine,
        defaultId: deploymentId,
        tryingId: deploymentId,
        triedBootId: machine.bootId,
        moved: null,
      })
    },
    rollback: async (deploymentId, bad, signal) => {
      await pause(signal)
      const machine = await readWith(path, deploymentId, 'RollbackFailed')
      const leftId = machine.currentId === deploymentId ? machine.tryingId : machine.currentId
      const left = bad === null || leftId === null ? machine : marked(machine, leftId, { bad })
      await write({ ...left, defaultId: deploymentId, tryingId: null, moved: null })
    },
    bless: async (deploymentId, signal) => {
      await pause(signal)
      const machine = await readWith(path, deploymentId, 'BlessFailed')
      await write(marked({ ...machine, tryingId: null }, deploymentId, { blessed: true }))
    },
    tidy: async () => {
      const machine = await readOrFail(path)
      const { kept, gone } = needed(machine)
      if (gone.length > 0) await write({ ...machine, deployments: kept })
      return gone.map(({ deploymentId }) => `deployment ${deploymentId}`)
    },
  }
}

function namesOf({ units, http, checks, reachController }: HealthChecks): readonly string[] {
  return [
    ...units.map((unit) => `unit:${unit}`),
    ...checks,
    ...http.map(({ url }) => `http:${url}`),
    ...(reachController ? ['reachController'] : []),
  ]
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
