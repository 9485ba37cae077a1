import * as z from 'zod'
import { AgentError } from '../errors.ts'
import { toOciArchitecture } from './architecture.ts'
import { bounded, journalEvidence } from './boot-evidence.ts'
import { readEtcChanges } from './container-snap-etc.ts'
import { containerSnapProgram } from './container-snap-program.ts'
import type { Call } from './container-snap-program.ts'
import { lintImage } from './container-snap-lint.ts'
import { pullImage, referenceOf } from './container-snap-pull.ts'
import { loaderEvidence, parseJson, readStatus, toDeployment } from './container-snap-status.ts'
import { tidyUp, withRoom } from './container-snap-tidy.ts'
import { greenbootChecks } from './greenboot.ts'
import type { FallenActivation, HostCheck, HostDriver, LoaderFacts, Staged, ToStage } from './host-driver.ts'
import type { Machine } from './machine.ts'
import { runNamedCheck } from './named-check.ts'
import { readOsRelease } from './os-release.ts'
import { checkUnit } from './unit-check.ts'
import type { HealthChecks, Image } from '../update/types.ts'

export type ContainerSnapOptions = {
  /** The program, by name or path. */
  readonly command: string
  readonly machine: Machine
  /** For the program: where registries and their credentials are configured. */
  readonly env: Readonly<Record<string, string>>
}

const Deployed = z.object({ id: z.string(), manifestDigest: z.string(), conflicts: z.array(z.string()) })
const Repaired = z.object({ done: z.array(z.string()) })

/** What writes out the file system: a slow disk has minutes of it. */
const SYNC_TIMEOUT_MS = 15 * 60_000

/** A host whose deployments are kept by the `container-snap` program, known only by its command line. */
export function openContainerSnapHost({ command, machine, env }: ContainerSnapOptions): HostDriver {
  const call = containerSnapProgram({ command, sysroot: machine.sysroot, env })
  const change = async (
    words: readonly string[],
    options: Pick<Parameters<Call>[1], 'code' | 'attempt' | 'signal'>,
  ) => {
    await call(words, { ...options, timeoutMs: SYNC_TIMEOUT_MS })
  }
  return {
    name: 'container-snap',
    architecture: toOciArchitecture(process.arch),
    network: 'real',
    prepare: async (signal) => {
      await machine.prepare(signal)
      return repair(call, signal)
    },
    inspect: async (signal) => {
      const status = await readStatus(call, signal)
      return {
        bootId: await machine.bootId(),
        current: status.current && toDeployment(status.current),
        default: status.default && toDeployment(status.default),
        deployments: status.deployments.map((known) => ({
          ...toDeployment(known),
          blessed: known.blessed,
          bad: known.bad,
          ...(known.version !== undefined && { version: known.version }),
        })),
        ...(status.moved !== undefined && { moved: status.moved }),
      }
    },
    evidence: (fallen, signal) => collectEvidence(call, machine, fallen, signal),
    loaderFacts: (signal) => readLoader(call, signal),
    etcChanges: (signal) => readEtcChanges(call, signal),
    osRelease: () => readOsRelease(machine.root),
    pull: (image, options) => withRoom(call, options.signal, () => pullImage(call, image, options)),
    lint: (image, signal) => lintImage(call, image, signal),
    stage: (what, signal) => withRoom(call, signal, () => deploy(call, what, signal)),
    activate: (deploymentId, signal) =>
      change(['activate', deploymentId], {
        code: 'ActivateFailed',
        attempt: `activating ${deploymentId}`,
        signal,
      }),
    rollback: (deploymentId, bad, signal) => {
      const words = ['rollback', ...(bad === null ? [] : [`--bad=${oneLine(bad)}`]), deploymentId]
      return change(words, { code: 'RollbackFailed', attempt: `going back to ${deploymentId}`, signal })
    },
    bless: (deploymentId, signal) =>
      change(['bless', deploymentId], { code: 'BlessFailed', attempt: `blessing ${deploymentId}`, signal }),
    tidy: (signal) => tidyUp(call, signal),
    reboot: (signal) => machine.reboot(signal),
    checksOf: (health) => hostChecks(machine, health),
  }
}

/** What cannot be repaired is told and left: an agent that runs can still report it. */
async function repair(call: Call, signal: AbortSignal): Promise<readonly string[]> {
  const attempt = 'repairing what a crash or a boot left'
  try {
    const options = { code: 'InspectFailed', attempt, signal, timeoutMs: SYNC_TIMEOUT_MS } as const
    const repaired = Repaired.safeParse(parseJson(await call(['repair', '--json'], options)))
    return repaired.success ? repaired.data.done : [`${attempt}: the program did not say what it did`]
  } catch (error) {
    if (signal.aborted || !(error instanceof AgentError)) throw error
    return [error.message]
  }
}

async function readLoader(call: Call, signal: AbortSignal): Promise<LoaderFacts> {
  const { guard, kernelLine, loader } = await readStatus(call, signal)
  // Its line is made by grub2-mkconfig, from /etc/default/grub alone.
  return { guard, kernelLine: loader === 'tukit-grub2' ? 'NotOurs' : kernelLine }
}

async function collectEvidence(
  call: Call,
  machine: Machine,
  fallen: FallenActivation,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const seen = loaderEvidence(await readStatus(call, signal), fallen.deploymentId)
    // A root that is mounted elsewhere has no journal of its own.
    if (machine.sysroot !== null) return bounded(seen)
    const currentBootId = await machine.bootId()
    return bounded([...seen, ...(await journalEvidence({ fallen, currentBootId }, signal))])
  } catch (error) {
    return bounded([error instanceof Error ? error.message : String(error)])
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 256)
}

async function deploy(call: Call, { image, kernelArguments }: ToStage, signal: AbortSignal): Promise<Staged> {
  const attempt = `deploying ${image.digest}`
  const words = kernelArguments.map((argument) => `--karg=${argument}`)
  const options = { code: 'StageFailed', attempt, signal, timeoutMs: SYNC_TIMEOUT_MS } as const
  return toStaged(await call(['deploy', '--json', ...words, referenceOf(image)], options), image, attempt)
}

/** What boots is what was signed: the image that was pulled for the digest, and no other that has its name. */
function toStaged(text: string, image: Image, attempt: string): Staged {
  const deployed = Deployed.safeParse(parseJson(text))
  if (!deployed.success) {
    throw new AgentError('StageFailed', `${attempt}: the program did not say what it deployed`)
  }
  const { id, manifestDigest, conflicts } = deployed.data
  if (manifestDigest === image.manifestDigest) return { deploymentId: id, etcConflicts: conflicts }
  const found = `${id} is made of manifest ${manifestDigest || 'unknown'}, and the plan names ${image.manifestDigest}`
  throw new AgentError('ImageRefused', `${attempt}: ${found}; remove it with container-snap delete`)
}

async function hostChecks(machine: Machine, health: HealthChecks): Promise<readonly HostCheck[]> {
  return [
    ...health.units.map((unit) => ({
      name: `unit:${unit}`,
      run: (signal: AbortSignal) => checkUnit(machine, unit, signal),
    })),
    ...health.checks.map((name) => ({
      name,
      run: (signal: AbortSignal) => runNamedCheck(machine, name, signal),
    })),
    ...(health.greenboot ? await greenbootChecks(machine) : []),
  ]
}
