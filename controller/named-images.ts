import { matchesSelector } from './desired-state/label-selector.ts'
import type { DesiredState, Fleet } from './desired-state/types.ts'
import { verificationOf } from './desired-state/verification.ts'
import { ControllerError } from './errors.ts'
import type { Registry } from './followed-images.ts'
import type { ResolvedImage } from './rollout/wanted.ts'
import { judge } from './verified-images.ts'
import type { Check } from './verified-images.ts'

/** By `repository@digest`: images that git names beside those of fleets, in barriers and pins. */
export type NamedImages = Readonly<Record<string, ResolvedImage>>

export type NamedResolving = {
  readonly registry: Registry
  readonly signal: AbortSignal
  /** Of the enrolment of the host with this name; null: there is none. */
  readonly labelsOf: (host: string) => Readonly<Record<string, string>> | null
}

export type Named = {
  /** All that the registry has; those that a fleet may not be given are in `unverified`. */
  readonly images: NamedImages
  /** By name of fleet, and by key: why an image does not have the signature that the fleet asks for. */
  readonly unverified: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly errors: readonly { readonly fleet: string; readonly message: string }[]
}

/** Where a fleet's images are; a fleet that follows another has that one's. */
export function repositoryOf(fleets: readonly Fleet[], { image }: Fleet): string {
  for (let at = image, steps = 0; steps <= fleets.length; steps += 1) {
    if (at.kind !== 'fleet') return at.repository
    const { fleet } = at
    const followed = fleets.find(({ name }) => name === fleet)
    if (followed === undefined) return ''
    at = followed.image
  }
  return ''
}

/** Digests that hosts of the fleet are pinned to. */
export function pinsOf(
  { hosts }: DesiredState,
  fleet: Fleet,
  labelsOf: NamedResolving['labelsOf'],
): readonly string[] {
  const pins = hosts.flatMap(({ labels, name, pin }) => {
    const enrolled = labelsOf(name)
    const isOurs = enrolled !== null && matchesSelector(fleet.selector, { ...enrolled, ...labels })
    return pin !== null && isOurs ? [pin] : []
  })
  return [...new Set(pins)].toSorted()
}

export function namedKey(repository: string, digest: string): string {
  return `${repository}@${digest}`
}

/**
 * Asks once for each image of a barrier or a pin; a digest means the same for ever. One that is not there is the
 * trouble of its fleet or host alone.
 */
export async function resolveNamed(
  desiredState: DesiredState,
  before: NamedImages,
  resolving: NamedResolving & { readonly check: Check },
): Promise<Named> {
  const images: Record<string, ResolvedImage> = {}
  const unverified = new Map<string, Map<string, string>>()
  const errors: { readonly fleet: string; readonly message: string }[] = []
  for (const fleet of desiredState.fleets) {
    const repository = repositoryOf(desiredState.fleets, fleet)
    const verify = verificationOf(desiredState.fleets, fleet)
    const barriers = fleet.requires.map(({ below, digest }) => ({ digest, what: `barrier below ${below}` }))
    const pins = pinsOf(desiredState, fleet, resolving.labelsOf).map((digest) => ({ digest, what: 'pin' }))
    for (const { digest, what } of [...barriers, ...pins]) {
      const key = namedKey(repository, digest)
      const known = Object.hasOwn(before, key) ? before[key] : images[key]
      const found = known ?? (await resolve(repository, digest, resolving))
      if (found instanceof ControllerError) {
        errors.push({ fleet: fleet.name, message: `${what}: ${found.message}` })
        continue
      }
      images[key] = found
      const { error, failure } = await judge(resolving.check, found, verify)
      if (failure === null) continue
      const message = `${what}: ${failure}`
      unverified.set(fleet.name, (unverified.get(fleet.name) ?? new Map()).set(key, message))
      if (error !== null) errors.push({ fleet: fleet.name, message })
    }
  }
  return { images, unverified, errors }
}

async function resolve(
  repository: string,
  digest: string,
  { registry, signal }: NamedResolving,
): Promise<ResolvedImage | ControllerError> {
  try {
    const found = await registry.resolve({ kind: 'digest', repository, digest }, signal)
    return { repository, digest, version: found.version ?? '', manifests: found.manifests }
  } catch (error) {
    if (error instanceof ControllerError) return error
    throw error
  }
}
