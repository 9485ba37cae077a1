import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ImageReference } from './desired-state/types.ts'
import { ControllerError } from './errors.ts'
import type { WantedFleet } from './rollout/types.ts'
import { SourceLoop } from './source-loop.ts'
import type { SourceSnapshot } from './source-loop.ts'

const logger = pino({ level: 'silent' })
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`

let stateDir: string
let head: SourceSnapshot | ControllerError
let tag: string | ControllerError
let polls: number
let resolved: number
let wants: { readonly commit: string; readonly fleets: readonly WantedFleet[] }[]
let stops: (() => Promise<void>)[]

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'bootfleet-source-'))
  head = snapshot('1', 'tag: stable')
  tag = digest('a')
  polls = 0
  resolved = 0
  wants = []
  stops = []
})
afterEach(async () => {
  for (const stop of stops) await stop()
  await rm(stateDir, { recursive: true, force: true })
})

function snapshot(commit: string, image: string): SourceSnapshot {
  const text = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: r.example/os, ${image} }
`
  return { commit, subject: `Subject ${commit}`, files: [{ path: 'fleet.yaml', text }] }
}

function start(term: number, pollIntervalMs = 3_600_000): SourceLoop {
  const stop = new AbortController()
  const resolver = {
    async resolve(image: ImageReference) {
      resolved += 1
      if (tag instanceof ControllerError) throw tag
      const found = image.kind === 'digest' ? image.digest : tag
      return {
        repository: image.repository,
        tag: null,
        digest: found,
        version: null,
        manifests: { amd64: found },
      }
    },
  }
  const loop = new SourceLoop({
    source: {
      async poll() {
        polls += 1
        if (head instanceof ControllerError) throw head
        return head
      },
    },
    images: resolver,
    stateDir,
    term,
    url: 'https://git.example/fleet',
    branch: 'main',
    pollIntervalMs,
    logger,
    async want(commit, fleets) {
      wants.push({ commit, fleets })
    },
    onChange: () => undefined,
  })
  const ended = loop.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await ended
  })
  return loop
}

describe('following the source', () => {
  it('wants what the head says, and the same thing only once', async () => {
    const loop = start(1)
    await loop.sync()
    await loop.sync()
    expect(wants).toHaveLength(1)
    expect(wants[0]?.fleets[0]).toMatchObject({ name: 'edge', image: { digest: digest('a') } })
    expect(loop.state).toMatchObject({
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
    const [before, after] = wants.map(({ fleets }) => fleets[0]?.revision)
    expect(wants).toHaveLength(2)
    expect(after).not.toBe(before)
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
    expect(loop.state).toMatchObject({ headCommit: '2', acceptedCommit: '1', rejection: { commit: '2' } })
    expect(loop.state.rejection?.issues[0]).toMatch(/^fleet\.yaml:6:\d+: /)
    expect(wants).toHaveLength(1)
    head = snapshot('3', 'tag: stable')
    await loop.sync()
    expect(loop.state).toMatchObject({ acceptedCommit: '3', rejection: null })
  })

  it('keeps the last good commit in force across a restart with a bad head', async () => {
    await start(1).sync()
    for (const stop of stops.splice(0)) await stop()
    head = snapshot('2', 'tagg: stable')
    wants = []
    const loop = start(2)
    await loop.sync()
    expect(loop.state).toMatchObject({ acceptedCommit: '1', rejection: { commit: '2' } })
    expect(wants).toMatchObject([{ commit: '1' }])
  })

  it('does not trust what it accepted before another controller led', async () => {
    await start(1).sync()
    for (const stop of stops.splice(0)) await stop()
    head = snapshot('2', 'tagg: stable')
    wants = []
    const loop = start(3)
    await loop.sync()
    expect(loop.state.acceptedCommit).toBe('')
    expect(wants).toEqual([])
  })

  it('leaves a fleet as it was when its image cannot be resolved, and says so', async () => {
    const loop = start(1)
    await loop.sync()
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer')
    head = snapshot('2', 'tag: stable')
    await loop.sync()
    expect(loop.state).toMatchObject({
      acceptedCommit: '2',
      error: 'fleet edge: asking r.example: no answer',
    })
    expect(wants.at(-1)?.fleets[0]?.image.digest).toBe(digest('a'))
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
    const [file] = files
    head = { commit, subject, files: [{ path: 'fleet.yaml', text: `${file?.text}  suspend: true\n` }] }
    await loop.sync()
    const [before, after] = wants.map(({ fleets }) => fleets[0])
    expect(after).toMatchObject({ suspend: true, revision: before?.revision })
  })

  it('follows git at its pace while the registry fails, and asks it less often', async () => {
    tag = new ControllerError('RegistryUnreachable', 'asking r.example: no answer', { retryAfterMs: 60_000 })
    const loop = start(1, 10)
    await loop.sync()
    const [pollsBefore, resolvedBefore] = [polls, resolved]
    await vi.waitFor(() => expect(polls).toBeGreaterThan(pollsBefore + 5))
    expect(resolved).toBe(resolvedBefore)
    expect(loop.state.error).toContain('fleet edge: asking r.example')
  })

  it('shows a state directory that cannot be written, and accepts nothing that it could not keep', async () => {
    await mkdir(join(stateDir, 'accepted-commit.json'))
    const loop = start(1)
    await loop.sync()
    expect(loop.state).toMatchObject({ acceptedCommit: '', headCommit: '1' })
    expect(loop.state.error).toContain('using the state directory')
    expect(wants).toEqual([])
    await rm(join(stateDir, 'accepted-commit.json'), { recursive: true })
    await loop.sync()
    expect(loop.state).toMatchObject({ acceptedCommit: '1', error: '' })
  })

  it('answers who asks for a poll after it ended', async () => {
    const loop = start(1)
    for (const stop of stops.splice(0)) await stop()
    await expect(loop.sync()).resolves.toBeUndefined()
  })

  it('shows a source that cannot be read and comes back by itself at the next poll', async () => {
    head = new ControllerError('SourceUnreachable', 'fetching https://git.example/fleet: no route')
    const loop = start(1)
    await loop.sync()
    expect(loop.state).toMatchObject({
      error: 'fetching https://git.example/fleet: no route',
      acceptedCommit: '',
    })
    head = snapshot('1', 'tag: stable')
    await loop.sync()
    expect(loop.state).toMatchObject({ error: '', acceptedCommit: '1' })
  })

  it('serves many who ask at once with one poll', async () => {
    const loop = start(1)
    await loop.sync()
    const before = polls
    await Promise.all(Array.from({ length: 20 }, () => loop.sync()))
    expect(polls - before).toBeLessThanOrEqual(2)
  })
})
