import type { Deployment, HostFacts, KnownDeployment, LocalMove } from '../../agent/update/facts.ts'
import type { Image } from '../../agent/update/types.ts'
import type { ResolvedImage } from '../../controller/rollout/wanted.ts'

/** A host's disk and boot loader, as far as an update is concerned. */
export type Machine = {
  readonly hostId: string
  boots: number
  current: string
  default: string
  /** Activated, and neither blessed nor taken back: boots only as often as the loader has tries. */
  trying: string | null
  made: number
  /** The last change of what boots, where it was a person's. */
  moved: LocalMove | null
  readonly deployments: Map<string, KnownDeployment>
}

export function newMachine(
  hostId: string,
  image: ResolvedImage,
  {
    architecture,
    kernelArguments,
  }: { architecture: string; kernelArguments?: readonly string[] | undefined },
): Machine {
  const deploymentId = `${hostId}-work1`
  const manifestDigest = image.manifests[architecture] ?? image.digest
  const made = { deploymentId, digest: image.digest, manifestDigest, ...given(kernelArguments) }
  const first = { ...made, blessed: true, bad: null }
  return {
    hostId,
    boots: 1,
    current: deploymentId,
    default: deploymentId,
    trying: null,
    made: 1,
    moved: null,
    deployments: new Map([[deploymentId, first]]),
  }
}

function given(kernelArguments?: readonly string[]): Pick<Deployment, 'kernelArguments'> {
  return kernelArguments === undefined ? {} : { kernelArguments }
}

export function runningOf(machine: Machine): KnownDeployment {
  return machine.deployments.get(machine.current) as KnownDeployment
}

export function factsOf(machine: Machine): HostFacts {
  return {
    bootId: `${machine.hostId}-boot${machine.boots}`,
    current: deploymentOf(machine, machine.current),
    default: deploymentOf(machine, machine.default),
    deployments: [...machine.deployments.values()],
    evidence: [...machine.deployments.values()]
      .filter(({ bad, deploymentId }) => bad !== null && deploymentId !== machine.current)
      .map(({ bad, deploymentId }) => `${deploymentId}: ${bad}`),
    ...(machine.moved !== null && { moved: machine.moved }),
  }
}

function deploymentOf(machine: Machine, id: string): Deployment | null {
  const known = machine.deployments.get(id)
  if (known === undefined) return null
  const { deploymentId, digest, kernelArguments, manifestDigest } = known
  return { deploymentId, digest, manifestDigest, ...given(kernelArguments) }
}

/** What nobody needs any more is freed here, as the agent does after every proven update. */
export function stage(
  machine: Machine,
  { digest, manifestDigest }: Image,
  kernelArguments?: readonly string[],
): string {
  for (const id of machine.deployments.keys()) {
    if (id !== machine.current && id !== machine.default && id !== machine.trying)
      machine.deployments.delete(id)
  }
  machine.made += 1
  const deploymentId = `${machine.hostId}-work${machine.made}`
  const made = { deploymentId, digest, manifestDigest, ...given(kernelArguments) }
  machine.deployments.set(deploymentId, { ...made, blessed: false, bad: null })
  return deploymentId
}

export function activate(machine: Machine, deploymentId: string): void {
  machine.default = deploymentId
  machine.trying = deploymentId
  machine.moved = null
}

export function restore(machine: Machine, deploymentId: string, bad: string | null): void {
  if (bad !== null && machine.trying !== null) mark(machine, machine.trying, { bad })
  machine.default = deploymentId
  machine.moved = null
  if (machine.current === deploymentId) machine.trying = null
}

export function bless(machine: Machine, deploymentId: string): void {
  mark(machine, deploymentId, { blessed: true })
  machine.trying = null
}

/** The loader takes the default; one that does not come up uses up its tries, and what ran before boots. */
export function boot(machine: Machine, comesUp: (digest: string) => boolean): void {
  const { current, trying } = machine
  const wanted = machine.deployments.get(machine.default)
  const isOnTrial = wanted !== undefined && wanted.deploymentId === trying
  const boots = wanted !== undefined && (!isOnTrial || comesUp(wanted.digest ?? ''))
  machine.boots += 1
  if (boots) machine.current = wanted.deploymentId
  else {
    // As `repair` does at the next boot: what came up is the default again.
    if (trying !== null) mark(machine, trying, { bad: 'something else came up' })
    machine.default = current
  }
  if (machine.current !== machine.trying && machine.default === machine.current) machine.trying = null
}

function mark(machine: Machine, id: string, found: Partial<Pick<KnownDeployment, 'blessed' | 'bad'>>): void {
  const known = machine.deployments.get(id)
  if (known !== undefined) machine.deployments.set(id, { ...known, ...found })
}
