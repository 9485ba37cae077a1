import { formatImageReference } from '../../controller/desired-state/image-reference.ts'
import { matchesSelector } from '../../controller/desired-state/label-selector.ts'
import type { DesiredState, Fleet } from '../../controller/desired-state/types.ts'
import { argumentChangeOf } from './argument-change.ts'
import type { ArgumentChange } from './argument-change.ts'
import type { InventoryHost } from './inventory.ts'
import type { GivenImages } from './wanted.ts'

export type Difference = {
  readonly host: string
  readonly fleet: string
  readonly from: { readonly digest: string; readonly version: string } | null
  readonly to: { readonly digest: string; readonly version: string }
  /** On its kernel's line, where git wants others than it has. */
  readonly kernelArguments?: ArgumentChange
  /** It is pinned to it. */
  readonly isPinned: boolean
}

export type Differences = {
  readonly hosts: number
  readonly changed: readonly Difference[]
  /** Fleets of which nobody here knows which digest they want, with what they want instead. */
  readonly unknown: readonly { readonly fleet: string; readonly reference: string; readonly hosts: number }[]
  readonly ownerless: number
}

type Request = {
  readonly desiredState: DesiredState
  readonly hosts: readonly InventoryHost[]
  readonly given: GivenImages
}

/** What runs against what is written; when and in which order it would be brought together is for `preview`. */
export function differencesOf({ desiredState, given, hosts }: Request): Differences {
  const changed: Difference[] = []
  const unknown = new Map<string, { reference: string; hosts: number }>()
  const versions = versionsOf(hosts, given)
  let ownerless = 0
  for (const host of hosts) {
    const { fleet, kernelArguments, pin } = placeOf(desiredState, host)
    const wanted = fleet === null ? null : (pin ?? digestOf(fleet, given))
    if (fleet === null) ownerless += 1
    else if (wanted === null) {
      const known = unknown.get(fleet.name) ?? { reference: wishOf(fleet), hosts: 0 }
      unknown.set(fleet.name, { ...known, hosts: known.hosts + 1 })
    } else if (wanted !== host.running?.digest || kernelArguments !== null) {
      const to = { digest: wanted, version: versions.get(wanted) ?? '' }
      const change = { host: host.name, fleet: fleet.name, from: host.running, to, isPinned: pin !== null }
      changed.push({ ...change, ...(kernelArguments !== null && { kernelArguments }) })
    }
  }
  return {
    hosts: hosts.length,
    changed: changed.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
    unknown: [...unknown].map(([fleet, known]) => ({ fleet, ...known })),
    ownerless,
  }
}

function wishOf({ image }: Fleet): string {
  const reference = formatImageReference(image)
  return image.kind === 'fleet' ? reference : `${reference}, which only a registry can resolve`
}

type Place = {
  readonly fleet: Fleet | null
  readonly pin: string | null
  /** Null: it has those that git wants. */
  readonly kernelArguments: ArgumentChange | null
}

/** The one fleet that selects a host, and what it is pinned to. */
function placeOf(desiredState: DesiredState, { kernelArguments, labels, name }: InventoryHost): Place {
  const declared = desiredState.hosts.find((host) => host.name === name)
  const own = { ...labels, ...declared?.labels }
  const [fleet = null, ...others] = desiredState.fleets.filter(({ selector }) =>
    matchesSelector(selector, own),
  )
  return {
    fleet: others.length > 0 ? null : fleet,
    pin: declared?.pin ?? null,
    kernelArguments: argumentChangeOf(declared?.kernelArguments, kernelArguments),
  }
}

function versionsOf(hosts: readonly InventoryHost[], given: GivenImages): ReadonlyMap<string, string> {
  const versions = new Map<string, string>()
  for (const { running } of hosts) if (running !== null) versions.set(running.digest, running.version)
  for (const { digest, version } of given.values()) if (version !== '') versions.set(digest, version)
  return versions
}

function digestOf({ image, name }: Fleet, given: GivenImages): string | null {
  return given.get(name)?.digest ?? (image.kind === 'digest' ? image.digest : null)
}
