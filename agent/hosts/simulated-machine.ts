import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { AgentError } from '../errors.ts'
import type { HostFacts } from '../update/facts.ts'

const SimulatedDeployment = z.strictObject({
  deploymentId: z.string(),
  blessed: z.boolean().default(false),
  bad: z.string().nullable().default(null),
  digest: z.string(),
  manifestDigest: z.string(),
  version: z.string(),
  kernelArguments: z.array(z.string()).exactOptional(),
})
const SimulatedMachine = z.strictObject({
  bootId: z.string(),
  currentId: z.string(),
  defaultId: z.string(),
  /** Activated, and not booted since. */
  tryingId: z.string().nullable().default(null),
  /** Boot during which it was activated. */
  triedBootId: z.string().default(''),
  /** What a person made boot next. */
  moved: z
    .strictObject({
      id: z.string(),
      user: z.string(),
      command: z.string(),
      atMs: z.int(),
      digest: z.string().nullable(),
    })
    .nullable()
    .default(null),
  nextNumber: z.int(),
  pulled: z.array(z.string()),
  deployments: z.array(SimulatedDeployment),
})
/** What a new machine runs. */
export type Seed = { readonly digest: string; readonly manifestDigest: string; readonly version: string }
export type SimulatedMachine = z.infer<typeof SimulatedMachine>

export function newMachine(seed: Seed): SimulatedMachine {
  const deploymentId = `${seed.manifestDigest.slice('sha256:'.length)}-work1`
  return {
    bootId: randomUUID(),
    currentId: deploymentId,
    defaultId: deploymentId,
    tryingId: null,
    triedBootId: '',
    moved: null,
    nextNumber: 2,
    pulled: [],
    deployments: [{ deploymentId, ...seed, blessed: true, bad: null }],
  }
}

export function boot(machine: SimulatedMachine, bootFails: (version: string) => boolean): SimulatedMachine {
  const wanted = machine.deployments.find(({ deploymentId }) => deploymentId === machine.defaultId)
  const comesUp = wanted !== undefined && !bootFails(wanted.version)
  return { ...machine, bootId: randomUUID(), currentId: comesUp ? machine.defaultId : machine.currentId }
}

/** As on a real host: what came up instead of what was to be tried becomes the default again. */
export function repaired(machine: SimulatedMachine): {
  readonly machine: SimulatedMachine
  readonly done: readonly string[]
} {
  const { tryingId, currentId, triedBootId } = machine
  if (tryingId === null || triedBootId === machine.bootId) return { machine, done: [] }
  if (tryingId === currentId) return { machine, done: [] }
  const bad = 'something else came up'
  const back = marked({ ...machine, defaultId: currentId, tryingId: null }, tryingId, { bad })
  return { machine: back, done: [`marked ${tryingId} bad: ${bad}`] }
}

export function marked(
  machine: SimulatedMachine,
  id: string,
  found: { blessed?: boolean; bad?: string },
): SimulatedMachine {
  const deployments = machine.deployments.map((deployment) =>
    deployment.deploymentId === id ? { ...deployment, ...found } : deployment,
  )
  return { ...machine, deployments }
}

/** What is known to be bad goes, unless it is what runs or boots next. */
export function needed({ deployments, currentId, defaultId }: SimulatedMachine): {
  kept: SimulatedMachine['deployments']
  gone: SimulatedMachine['deployments']
} {
  const isNeeded = ({ deploymentId, bad }: SimulatedMachine['deployments'][number]): boolean =>
    bad === null || deploymentId === currentId || deploymentId === defaultId
  return { kept: deployments.filter(isNeeded), gone: deployments.filter((one) => !isNeeded(one)) }
}

export function factsOf(machine: SimulatedMachine): Omit<HostFacts, 'evidence'> {
  const find = (id: string) => {
    const found = machine.deployments.find(({ deploymentId }) => deploymentId === id)
    if (found === undefined) return null
    const { deploymentId, digest, kernelArguments, manifestDigest } = found
    return { deploymentId, digest, manifestDigest, ...(kernelArguments !== undefined && { kernelArguments }) }
  }
  return {
    bootId: machine.bootId,
    current: find(machine.currentId),
    default: find(machine.defaultId),
    deployments: machine.deployments,
    ...(machine.moved !== null && { moved: machine.moved }),
  }
}

export function currentOf(machine: SimulatedMachine): SimulatedMachine['deployments'][number] {
  const current = machine.deployments.find(({ deploymentId }) => deploymentId === machine.currentId)
  if (current === undefined) throw new AgentError('InspectFailed', `reading the machine: nothing is booted`)
  return current
}

export async function readMachine(path: string): Promise<SimulatedMachine | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new AgentError('InspectFailed', `reading ${path}: ${error.message}`, { cause: error })
  })
  return text === null ? null : SimulatedMachine.parse(JSON.parse(text))
}

export async function readOrFail(path: string): Promise<SimulatedMachine> {
  const machine = await readMachine(path)
  if (machine === null) throw new AgentError('InspectFailed', `reading ${path}: the machine's disk is gone`)
  return machine
}

export async function readWith(
  path: string,
  deploymentId: string,
  code: 'ActivateFailed' | 'RollbackFailed' | 'BlessFailed',
): Promise<SimulatedMachine> {
  const machine = await readOrFail(path)
  if (machine.deployments.some((deployment) => deployment.deploymentId === deploymentId)) return machine
  throw new AgentError(code, `activating ${deploymentId}: there is no such deployment`)
}
