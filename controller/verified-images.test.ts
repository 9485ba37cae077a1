import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseDesiredState } from './desired-state/parse.ts'
import { noImageTrust } from './image-trust.ts'
import type { ImageMemory } from './known-images.ts'
import type { ReleaseRole } from '../proto/release-role.ts'
import { resolveFleets } from './wanted-fleets.ts'
import type { Resolution } from './wanted-fleets.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const pair = generateKeyPairSync('ed25519')
const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const nothing: ImageMemory = { images: {}, sightings: {}, named: {}, verified: {}, proofs: {} }

const fleets = (cosign: string, more = '') => parsed(`, verify: { cosign: { ${cosign} } }`, more)

function parsed(verify: string, more: string) {
  const text = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: r.example/os, digest: "${digest('a')}"${verify} }
${more}`
  const read = parseDesiredState([
    { path: 'fleet.yaml', text },
    { path: 'release.pub', text: pem },
  ])
  if (!read.ok) throw new Error(read.issues.map(({ message }) => message).join())
  return read.desiredState
}

function signatureOf(image: string) {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': 'r.example/os' },
        image: { 'docker-manifest-digest': image },
        type: 'cosign container image signature',
      },
    }),
  )
  const signature = sign(null, payload, pair.privateKey).toString('base64')
  return { kind: 'simple-signing', payload, signature, certificate: null, logEntry: null } as const
}

async function resolve(
  desiredState: ReturnType<typeof fleets>,
  signed: readonly string[],
  memory = nothing,
  release: ReleaseRole | null = null,
): Promise<Resolution & { readonly lookedFor: readonly string[] }> {
  const lookedFor: string[] = []
  const registry: Parameters<typeof resolveFleets>[2]['registry'] = {
    resolve: async (image) => ({ ...image, version: '1.0.0', manifests: { amd64: image.digest } }),
    digestOf: async () => digest('0'),
    tags: async () => [],
    async signatures(_, image) {
      lookedFor.push(image)
      return signed.includes(image) ? [signatureOf(image)] : []
    },
  }
  const signal = new AbortController().signal
  const resolving = { registry, trust: noImageTrust, release, nowMs: 0, signal, labelsOf: () => null }
  return { ...(await resolveFleets(desiredState, memory, resolving)), lookedFor }
}

const byFile = 'keys: [release.pub]'

it('looks for a signature until there is one, and never again', async () => {
  const missing = await resolve(fleets(byFile), [])
  expect(missing.fleets).toMatchObject([{ image: null, revision: '', follows: null }])
  expect(missing.fleets[0]?.unverified).toContain('no signature was found')
  expect(missing.errors).toEqual([])
  const there = await resolve(fleets(byFile), [digest('a')], missing.memory)
  expect(there.fleets[0]).toMatchObject({ image: { digest: digest('a') } })
  expect(there.fleets[0]?.unverified).toBeUndefined()
  const again = await resolve(fleets(byFile), [], there.memory)
  expect([again.lookedFor, again.unverified]).toEqual([[], []])
})

it('forgets what was verified when others must sign', async () => {
  const { memory } = await resolve(fleets(byFile), [digest('a')])
  const { fleets: wanted, unverified } = await resolve(fleets('configuredKeys: [new]'), [digest('a')], memory)
  expect(wanted).toMatchObject([{ image: null }])
  expect(unverified[0]?.message).toContain('the controller\'s configuration has no key "new"')
})

it('sends nobody anywhere past an image on the way that nobody has signed', async () => {
  const barrier = `  requires: [{ from: "<2.0.0", via: "${digest('b')}", reason: keys }]\n`
  const { fleets: wanted } = await resolve(fleets(byFile, barrier), [digest('a')])
  expect(wanted).toMatchObject([{ image: null, requires: [] }])
  expect(wanted[0]?.unverified).toMatch(/^barrier below 2\.0\.0: .*no signature was found$/)
})

describe('where hosts ask for a release signature', () => {
  const role: ReleaseRole = { threshold: 1, keys: [{ name: 'a1', key: pair.publicKey }] }
  const stranger = generateKeyPairSync('ed25519').publicKey
  const plain = parsed('', '')

  it('nobody is granted an image without one, although git asks for none', async () => {
    const { fleets: wanted } = await resolve(plain, [], nothing, role)
    expect(wanted).toMatchObject([{ image: null }])
    expect(wanted[0]?.unverified).toContain('the trust bundle asks for a signature by release key a1')
  })

  it('plans carry it, and it is looked for once until another key must sign', async () => {
    const there = await resolve(plain, [digest('a')], nothing, role)
    expect(there.fleets[0]?.image?.signatures).toHaveLength(1)
    const again = await resolve(plain, [], there.memory, role)
    expect(again.lookedFor).toEqual([])
    expect(again.fleets).toEqual(there.fleets)
    const changed = { threshold: 1, keys: [{ name: 'b2', key: stranger }] }
    const after = await resolve(plain, [digest('a')], there.memory, changed)
    expect(after.fleets[0]?.unverified).toContain('it is signed by another key')
    const none = await resolve(plain, [], there.memory)
    expect(none.fleets[0]?.image).not.toHaveProperty('signatures')
  })

  it('git may ask for more, and both count', async () => {
    const { fleets: wanted } = await resolve(fleets('configuredKeys: [new]'), [digest('a')], nothing, role)
    expect(wanted).toMatchObject([{ image: null }])
    const both = await resolve(fleets(byFile), [digest('a')], nothing, role)
    expect(both.fleets[0]?.image?.signatures).toHaveLength(1)
    expect(both.lookedFor).toEqual([digest('a')])
  })
})
