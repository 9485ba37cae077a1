import { describe, expect, it } from 'vitest'
import { parseDesiredState } from './desired-state/parse.ts'
import type { DesiredState } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import { resolveFleets } from './wanted-fleets.ts'
import { noImageTrust } from './image-trust.ts'
import type { ImageMemory } from './known-images.ts'
import type { Resolution, Resolving } from './wanted-fleets.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const nothing: ImageMemory = { images: {}, sightings: {}, named: {}, verified: {}, proofs: {} }

function desired(text: string): DesiredState {
  const parsed = parseDesiredState([{ path: 'all.yaml', text }])
  if (!parsed.ok) throw new Error(parsed.issues.map(({ message }) => message).join())
  return parsed.desiredState
}

const repository = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { matchLabels: { site: berlin } }
  image: { repository: r.example/os, digest: "${digest('a')}" }
  requires: [{ from: "<2.0.0", via: "${digest('b')}", reason: new keys }]
---
apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: shops }
spec:
  selector: { matchLabels: { site: paris } }
  image: { from: { fleet: edge, succeededFor: 24h } }
---
apiVersion: bootfleet.dev/v1alpha1
kind: Host
metadata: { name: till-1 }
spec: { labels: { site: paris }, pin: "${digest('c')}" }
---
apiVersion: bootfleet.dev/v1alpha1
kind: Host
metadata: { name: nobody }
spec: { pin: "${digest('d')}" }
`

function resolve(
  missing: readonly string[],
  memory = nothing,
): { readonly asked: string[]; readonly resolution: Promise<Resolution> } {
  const asked: string[] = []
  const registry: Resolving['registry'] = {
    async resolve(image) {
      asked.push(image.digest)
      if (missing.includes(image.digest)) throw new ControllerError('ImageNotFound', 'no such digest')
      return { ...image, version: '1.0.0', manifests: { amd64: image.digest } }
    },
    digestOf: async () => digest('0'),
    tags: async () => [],
    signatures: async () => [],
  }
  const labelsOf = (host: string) => (host === 'till-1' ? { site: 'berlin' } : null)
  const resolving = {
    registry,
    trust: noImageTrust,
    nowMs: 0,
    signal: AbortSignal.timeout(100_000),
    labelsOf,
  }
  return { asked, resolution: resolveFleets(desired(repository), memory, resolving) }
}

describe('images that git names beside those of fleets', () => {
  it('are asked for once, where the host that is pinned belongs by the labels that git gives it', async () => {
    const first = resolve([])
    const { errors, fleets, memory } = await first.resolution
    expect(errors).toEqual([])
    expect(fleets).toMatchObject([
      { name: 'edge', pins: [], requires: [{ below: '2.0.0', via: { digest: digest('b') } }] },
      {
        name: 'shops',
        image: null,
        revision: '',
        pins: [{ repository: 'r.example/os', digest: digest('c') }],
      },
    ])
    expect(fleets[1]?.follows).toEqual({ fleet: 'edge', succeededForMs: 86_400_000 })
    expect(first.asked.toSorted()).toEqual([digest('a'), digest('b'), digest('c')])
    const second = resolve([], memory)
    await second.resolution
    expect(second.asked).toEqual([])
  })

  it('are the trouble of one fleet alone when they are not there', async () => {
    const { errors, fleets } = await resolve([digest('c')]).resolution
    expect(errors).toEqual([{ fleet: 'shops', message: 'pin: no such digest' }])
    expect(fleets.map(({ name, pins }) => [name, pins])).toEqual([
      ['edge', []],
      ['shops', []],
    ])
  })

  it('keep their fleet from being granted anything when they are on its way', async () => {
    const { errors, fleets } = await resolve([digest('b')]).resolution
    expect(errors).toEqual([{ fleet: 'edge', message: 'barrier below 2.0.0: no such digest' }])
    expect(fleets.map(({ name }) => name)).toEqual(['shops'])
  })
})
