import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { noImageTrust } from './image-trust.ts'
import { ControllerError } from './errors.ts'
import type { Commit } from './merge-sources.ts'
import { SourcesLoop } from './sources-loop.ts'
import type { SourceState } from './sources-loop.ts'
import type { Wanted } from './wanting-loop.ts'

const logger = pino({ level: 'silent' })
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

let stateDir: string
let head: Commit | ControllerError
let tag: string | ControllerError
let refusal: string | null
let polls: number
let resolved: number
let wants: Wanted[]
let stops: (() => Promise<void>)[]

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'bootfleet-source-'))
  head = snapshot('1', 'tag: stable')
  tag = digest('a')
  refusal = null
  polls = 0
  resolved = 0
  wants = []
  stops = []
})
afterEach(async () => {
  for (const stop of stops) await stop()
  await rm(stateDir, { recursive: true, force: true })
})

function snapshot(commit: string, image: string): Commit {
  const text = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: r.example/os, ${image} }
`
  return { commit, subject: `Subject ${commit}`, files: [{ path: 'fleet.yaml', text }] }
}

function start(term: number, pollIntervalMs = 3_600_000): SourcesLoop {
  const stop = new AbortController()
  const current = (): string => {
    resolved += 1
    if (tag instanceof ControllerError) throw tag
    return tag
  }
  const loop = new SourcesLoop({
    sources: [
      {
        name: 'git',
        url: 'https://git.example/fleet',
        branch: 'main',
        pollIntervalMs,
        async poll() {
          polls += 1
          return head instanceof ControllerError ? Promise.reject(head) : head
        },
      },
    ],
    trust: noImageTrust,
    registry: {
      async resolve({ repository, digest: named }) {
        if (named === digest('c')) resolved += 1
        return { repository, digest: named, version: null, manifests: { amd64: named } }
      },
      digestOf: async () => current(),
      tags: async () => [],
      signatures: async () => [],
    },
    stateDir,
    term,
    logger,
    want: async (wanted) => void wants.push(wanted),
    labelsOf: () => null,
    refuse: async () => refusal,
    onChange: () => undefined,
  })
  const ended = loop.run(stop.signal)
  stops.push(() => {
    stop.abort()
    return ended
  })
  return loop
}

const stateOf = (loop: SourcesLoop): SourceState | undefined => loop.states[0]

describe('following the source', () => {
  it('wants what the head says, and the same thing only once', async () => {
    const loop = start(1)
    await loop.sync()
    await loop.sync()
    expect(wants).toHaveLength(1)
    expect(wants[0]?.fleets[0]).toMatchObject({ name: 'edge', image: { digest: digest('a') } })
    expect(stateOf(loop)).toMatchObject({
      headCommit: '1',
      acceptedCommit: '1',
      acceptedSubject: 'Subject 1',
      error: '',
    })
  })

  it('sees a tag move without a commit, and gives it another revision', async () => {
    const loop = start(1)
    await loop.sync()
    tag = digest('b')
    await loop.sync()
    expect(wants).toHaveLength(2)
    expect(new Set(wants.map(({ fleets }) => fleets[0]?.revision)).size).toBe(2)
  })

  it('asks the registry for a digest only once', async () => {
    head = snapshot('1', `digest: "${digest('c')}"`)
    const loop = start(1)
    await loop.sync()
    await loop.sync()
    expect(resolved).toBe(1)
  })

  it('rejects a bad commit whole, shows why, and keeps the one before in force', async () => {
    const loop = start(1)
    await loop.sync()
    head = snapshot('2', 'tagg: stable')
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ headCommit: '2', acceptedCommit: '1', rejection: { commit: '2' } })
    expect(stateOf(loop)?.rejection?.issues[0]).toMatch(/^fleet\.yaml:6:\d+: /)
    expect(wants).toHaveLength(1)
    head = snapshot('3', 'tag: stable')
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ acceptedCommit: '3', rejection: null })
  })

  it('leaves a commit out of force while things are as they are, and takes it once they are not', async () => {
    const loop = start(1)
    await loop.sync()
    head = snapshot('2', 'tag: stable')
    refusal = 'fleet "till" is gone and has 3 hosts'
    await loop.sync()
    await loop.sync()
    const rejection = { commit: '2', issues: [refusal] }
    expect(stateOf(loop)).toMatchObject({ headCommit: '2', acceptedCommit: '1', rejection })
    refusal = null
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ acceptedCommit: '2', rejection: null })
  })

  it('keeps the last good commit in force across a restart with a bad head', async () => {
    await start(1).sync()
    for (const stop of stops.splice(0)) await stop()
    head = snapshot('2', 'tagg: stable')
    wants = []
    const loop = start(2)
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ acceptedCommit: '1', rejection: { commit: '2' } })
    expect(wants).toMatchObject([{ commit: '1' }])
  })

  it('does not trust what it accepted before another controller led', async () => {
    await start(1).sync()
    for (const stop of stops.splice(0)) await stop()
    head = snapshot('2', 'tagg: stable')
    wants = []
    const loop = start(3)
    await loop.sync()
    expect(stateOf(loop)?.acceptedCommit).toBe('')
    expect(wants).toEqual([])
  })

  it('leaves a fleet as it was when its image cannot be resolved, and says so', async () => {
    const loop = start(1)
    await loop.sync()
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer')
    head = snapshot('2', 'tag: stable')
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({
      acceptedCommit: '2',
      error: 'fleet edge: asking r.example: no answer',
    })
    expect(wants.at(-1)?.fleets[0]?.image?.digest).toBe(digest('a'))
  })

  it('wants the image it knew after a restart without a registry', async () => {
    await start(1).sync()
    for (const stop of stops.splice(0)) await stop()
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer')
    wants = []
    await start(2).sync()
    expect(wants[0]?.fleets[0]?.image).toMatchObject({
      digest: digest('a'),
      manifests: { amd64: digest('a') },
    })
  })

  it('suspends at once a fleet whose new image cannot be resolved, and keeps its revision', async () => {
    const loop = start(1)
    await loop.sync()
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer')
    const { commit, subject, files } = snapshot('2', 'tag: next')
    head = { commit, subject, files: [{ path: 'fleet.yaml', text: `${files[0]?.text}  suspend: true\n` }] }
    await loop.sync()
    const [before, after] = wants.map(({ fleets }) => fleets[0])
    expect(after).toMatchObject({ suspend: true, revision: before?.revision })
  })

  it('follows git at its pace while the registry fails, and asks it less often', async () => {
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer', { retryAfterMs: 60_000 })
    const loop = start(1, 10)
    await loop.sync()
    const before = { polls, resolved }
    await vi.waitFor(() => expect(polls).toBeGreaterThan(before.polls + 5), 90_000)
    expect(resolved).toBe(before.resolved)
    expect(stateOf(loop)?.error).toContain('fleet edge: asking r.example')
  })

  it('shows a state directory that cannot be written, and accepts nothing that it could not keep', async () => {
    await mkdir(join(stateDir, 'accepted-commit.json'))
    const loop = start(1)
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ acceptedCommit: '', headCommit: '1' })
    expect(stateOf(loop)?.error).toContain('using the state directory')
    expect(wants).toEqual([])
    await rm(join(stateDir, 'accepted-commit.json'), { recursive: true })
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ acceptedCommit: '1', error: '' })
  })

  it('shows a source that cannot be read and comes back by itself at the next poll', async () => {
    head = new ControllerError('SourceUnreachable', 'fetching https://git.example/fleet: no route')
    const loop = start(1)
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({
      error: 'fetching https://git.example/fleet: no route',
      acceptedCommit: '',
    })
    head = snapshot('1', 'tag: stable')
    await loop.sync()
    expect(stateOf(loop)).toMatchObject({ error: '', acceptedCommit: '1' })
  })
})
