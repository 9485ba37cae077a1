import { apply, explain, open } from '../../controller/rollout/engine.ts'
import { matchesSelector } from '../../controller/desired-state/label-selector.ts'
import type { DesiredState } from '../../controller/desired-state/types.ts'
import { forecast } from '../simulator/forecast.ts'
import type { FleetForecast } from '../simulator/forecast.ts'
import type { ResolvedImage } from '../../controller/rollout/wanted.ts'
import type { SimulatedImage } from '../simulator/scenario.ts'
import { argumentChangeOf } from './argument-change.ts'
import type { ArgumentChange } from './argument-change.ts'
import type { FleetDenial } from './fleet-denial.ts'
import type { InventoryHost } from './inventory.ts'
import { offlineWanted } from './wanted.ts'
import type { GivenImages } from './wanted.ts'

export type OutlookRequest = {
  readonly desiredState: DesiredState
  readonly hosts: readonly InventoryHost[]
  readonly denials: readonly FleetDenial[]
  readonly given: GivenImages
  readonly startMs: number
  readonly seed: number
  /** Share of hosts on which what is new fails its checks. */
  readonly failureRate: number
  /** 0: hosts lose no time, so that every instant is the earliest possible. */
  readonly slowness: number
}

export type Outlook = {
  readonly startMs: number
  readonly fleets: readonly (FleetForecast & {
    /** What git names, where only a registry could say which digest that is. */
    readonly unresolved: string | null
    /** Of what it wants: while there is one, nothing begins. */
    readonly denials: readonly FleetDenial[]
  })[]
  /** Hosts that no fleet, or more than one, selects. */
  readonly ownerless: readonly { readonly name: string; readonly fleets: readonly string[] }[]
  /** Of hosts that one fleet selects, whose kernel's line git wants otherwise than they were given it. */
  readonly kernelArguments: readonly (ArgumentChange & { readonly name: string; readonly fleet: string })[]
  /** For people; empty when nobody knows one. */
  readonly versionOf: (digest: string) => string
}

/** What the engine would do with this repository and these hosts. */
export function outlookOf(request: OutlookRequest): Outlook {
  const { denials, desiredState, failureRate, given, hosts, seed, slowness, startMs } = request
  const { before, imageOf, unresolved, wanted } = offlineWanted({ desiredState, hosts, given })
  const usual = new Set(before.flatMap(({ image }) => (image === null ? [] : [image.digest])))
  const images = new Map<string, SimulatedImage>()
  const add = (image: ResolvedImage | null): void => {
    if (image === null || images.has(image.digest)) return
    const isNew = !usual.has(image.digest)
    images.set(image.digest, {
      image,
      failureRate: isNew ? failureRate : 0,
      bootFailureRate: 0,
      networkLossRate: 0,
    })
  }
  for (const fleet of [...before, ...wanted.fleets]) {
    for (const image of [fleet.image, ...fleet.pins, ...fleet.requires.map(({ via }) => via)]) add(image)
  }
  const unknown = imageOf(`sha256:${'0'.repeat(64)}`, 'unknown')
  const running = hosts.map((host) =>
    host.running === null ? unknown : imageOf(host.running.digest, 'running'),
  )
  const fleets = forecast(
    {
      seed,
      startMs,
      hosts: hosts.map(({ architecture, connected, kernelArguments, labels, name, unguarded }, index) => ({
        id: name,
        name,
        labels,
        architecture,
        running: running[index] ?? unknown,
        ...givenTo(desiredState, name, kernelArguments),
        ...(unguarded && { unguarded }),
        isConnected: connected,
      })),
      before,
      wanted,
      denied: denials.map(({ digest, fleet, reason }) => ({ digest, fleet, reason })),
      images: [...images.values()],
      slowness,
      approvedAfterMs: 0,
    },
    { open, apply, explain },
  )
  const versions = new Map([...images.values()].map(({ image }) => [image.digest, image.version]))
  for (const host of hosts) if (host.running !== null) versions.set(host.running.digest, host.running.version)
  return {
    startMs,
    fleets: fleets.map((fleet) => ({
      ...fleet,
      unresolved: unresolved.get(fleet.name) ?? null,
      denials: denialsOf(fleet, request),
    })),
    ...fleetsOfHosts(desiredState, hosts),
    versionOf: (digest) => versions.get(digest) ?? '',
  }
}

/** The controller's first: the engine goes by it where git denies the same. */
function denialsOf(
  { name, wantedDigest }: FleetForecast,
  { denials, desiredState }: OutlookRequest,
): readonly FleetDenial[] {
  const inGit = desiredState.fleets
    .filter((fleet) => fleet.name === name)
    .flatMap(({ deny }) => deny)
    .map((denial): FleetDenial => ({ fleet: name, ...denial, origin: 'Git', actor: '', atMs: null }))
  const ofFleet = denials.filter(({ fleet }) => fleet === name)
  return [...ofFleet, ...inGit].filter(({ digest }) => digest === wantedDigest)
}

function fleetsOfHosts(
  desiredState: DesiredState,
  hosts: readonly InventoryHost[],
): Pick<Outlook, 'kernelArguments' | 'ownerless'> {
  const ownerless: Outlook['ownerless'][number][] = []
  const kernelArguments: Outlook['kernelArguments'][number][] = []
  const declarations = new Map(desiredState.hosts.map((host) => [host.name, host]))
  for (const { kernelArguments: given, labels, name } of hosts) {
    const declared = declarations.get(name)
    const own = { ...labels, ...declared?.labels }
    const fleets = desiredState.fleets.filter(({ selector }) => matchesSelector(selector, own))
    const [fleet] = fleets
    const change = argumentChangeOf(declared?.kernelArguments, given)
    if (fleet === undefined || fleets.length > 1)
      ownerless.push({ name, fleets: fleets.map((each) => each.name) })
    else if (change !== null) kernelArguments.push({ name, fleet: fleet.name, ...change })
  }
  return { kernelArguments, ownerless }
}

/** A host that does not say what it was given is taken to have what git wants, as `diff` takes it. */
function givenTo(
  { hosts }: DesiredState,
  name: string,
  said: InventoryHost['kernelArguments'],
): { readonly kernelArguments?: readonly string[] } {
  const kernelArguments = said ?? hosts.find((host) => host.name === name)?.kernelArguments ?? []
  return kernelArguments.length === 0 ? {} : { kernelArguments }
}
