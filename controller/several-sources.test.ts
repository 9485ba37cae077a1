import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGitRepository } from '../test/support/git-repository.ts'
import type { GitRepository } from '../test/support/git-repository.ts'
import { noImageTrust } from './image-trust.ts'
import { openSource } from './open-sources.ts'
import type { SourceConfig } from './source-config.ts'
import { SourcesLoop } from './sources-loop.ts'
import type { SourceState } from './sources-loop.ts'
import type { Wanted } from './wanting-loop.ts'

const hour = 3_600_000
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
let dir: string
let git: GitRepository
let other: GitRepository
let tag: string
let wants: Wanted[]
let stops: (() => Promise<void>)[]

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-several-'))
  for (const name of ['git', 'other', 'folder', 'state']) await mkdir(join(dir, name))
  git = createGitRepository(join(dir, 'git'))
  other = createGitRepository(join(dir, 'other'))
  tag = digest('a')
  wants = []
  stops = []
})
afterEach(async () => {
  for (const stop of stops) await stop()
  await rm(dir, { recursive: true, force: true })
})

const fleet = (name: string, image = 'tag: stable'): string => `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { site: ${name} } }
  image: { repository: r.example/os, ${image} }
`
const freeze = `apiVersion: bootfleet.dev/v1alpha1
kind: Freeze
metadata: { name: year-end }
spec: { from: 2026-12-20T00:00, to: 2027-01-03T00:00, timeZone: Europe/Berlin, selector: { all: true } }
`

const pace = { pollInterval: hour, webhookUrls: [] }
const asGit = (name: string, { url }: GitRepository): SourceConfig => {
  return { kind: 'git', name, url, branch: 'main', path: '.', ...pace }
}
const asFolder = (): SourceConfig => {
  return { kind: 'folder', name: 'local', path: join(dir, 'folder'), pollInterval: hour }
}

async function follow(sources: readonly SourceConfig[], term = 1): Promise<SourcesLoop> {
  for (const stop of stops.splice(0)) await stop()
  const stateDir = join(dir, 'state')
  const loop = new SourcesLoop({
    sources: sources.map((source) => openSource(source, stateDir)),
    trust: noImageTrust,
    registry: {
      async resolve({ repository, digest: named }) {
        return { repository, digest: named, tag: null, version: '42.1.3', manifests: { amd64: named } }
      },
      digestOf: async () => tag,
      tags: async () => [],
      signatures: async () => [],
    },
    stateDir,
    term,
    logger: pino({ level: 'silent' }),
    want: async (wanted) => void wants.push(wanted),
    labelsOf: () => null,
    refuse: async () => null,
    onChange: () => undefined,
  })
  const stop = new AbortController()
  const ended = loop.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await ended
  })
  await loop.sync()
  return loop
}

const stateOf = (loop: SourcesLoop, name: string): SourceState | undefined =>
  loop.states.find((state) => state.name === name)
const wanted = (): readonly string[] | undefined =>
  wants.at(-1)?.fleets.map(({ name, commit }) => `${name} of ${commit?.slice(0, 7)}`)

describe('several sources', () => {
  it('are wanted together, each fleet by the commit of its own source', async () => {
    const first = git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    const second = other.commit({ 'lab.yaml': fleet('lab'), 'freeze.yaml': freeze }, 'Lab')
    const loop = await follow([asGit('apps', git), asGit('platform', other)])
    expect(wanted()).toEqual([`edge of ${first.slice(0, 7)}`, `lab of ${second.slice(0, 7)}`])
    expect(wants.at(-1)).toMatchObject({ commit: first, freezes: [{ name: 'year-end' }] })
    expect(loop.states).toMatchObject([
      { name: 'apps', acceptedCommit: first, acceptedSubject: 'Edge', error: '' },
      { name: 'platform', acceptedCommit: second, acceptedSubject: 'Lab', error: '' },
    ])
    expect(loop.fleetsOf('platform')).toEqual(new Set(['lab']))
  })

  it('let one that fails keep what it had, also across a restart, while the others move', async () => {
    git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    const kept = other.commit({ 'lab.yaml': fleet('lab') }, 'Lab')
    const sources = [asGit('apps', git), asGit('platform', other)]
    await follow(sources)
    await rm(join(dir, 'other'), { recursive: true })
    const next = git.commit({ 'edge.yaml': fleet('edge', 'tag: next') }, 'Next')
    const loop = await follow(sources, 2)
    expect(wanted()).toEqual([`edge of ${next.slice(0, 7)}`, `lab of ${kept.slice(0, 7)}`])
    expect(stateOf(loop, 'platform')?.error).toContain('looking up branch "main"')
    expect(stateOf(loop, 'apps')?.error).toBe('')
  })

  it('want nothing before something of each was accepted, and say which is missing', async () => {
    git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    const sources = [asGit('apps', git), asGit('platform', other)]
    const loop = await follow(sources)
    expect(wants).toEqual([])
    expect(stateOf(loop, 'apps')?.error).toContain('accepted commit of source "platform"')
    other.commit({ 'freeze.yaml': freeze }, 'Freeze')
    await loop.sync()
    expect(wants).toHaveLength(1)
    expect(stateOf(loop, 'apps')?.error).toBe('')
  })

  it('keep what the others had when one is added', async () => {
    const kept = git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    await follow([asGit('apps', git)])
    await rm(join(dir, 'git'), { recursive: true })
    other.commit({ 'lab.yaml': fleet('lab') }, 'Lab')
    await follow([asGit('apps', git), asGit('platform', other)], 2)
    expect(wanted()?.[0]).toBe(`edge of ${kept.slice(0, 7)}`)
    expect(wants.at(-1)?.fleets).toHaveLength(2)
  })

  it('show a fleet that two of them declare in the later one, and an image error in its own', async () => {
    git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    other.commit({ 'edge.yaml': fleet('edge') }, 'Edge too')
    const loop = await follow([asGit('apps', git), asGit('platform', other)])
    expect(stateOf(loop, 'apps')?.rejection).toBeNull()
    expect(stateOf(loop, 'platform')?.rejection?.issues[0]).toMatch(
      /platform\/edge\.yaml:3.*apps\/edge\.yaml/s,
    )
  })
})

describe('a folder beside git', () => {
  it('is a source like another, whose id is that of its contents', async () => {
    git.commit({ 'edge.yaml': fleet('edge') }, 'Edge')
    await writeFile(join(dir, 'folder', 'lab.yaml'), fleet('lab'))
    const loop = await follow([asGit('apps', git), asFolder()])
    expect(wants.at(-1)?.fleets.map(({ name }) => name)).toEqual(['edge', 'lab'])
    expect(stateOf(loop, 'local')).toMatchObject({ url: join(dir, 'folder'), branch: '', error: '' })
    expect(stateOf(loop, 'local')?.acceptedCommit).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('a minimum age', () => {
  it('is shown while it lasts, and does not begin anew with a restart', async () => {
    git.commit({ 'edge.yaml': fleet('edge', 'tag: stable, minimumAge: 24h') }, 'Edge')
    const sources = [asGit('apps', git)]
    const loop = await follow(sources)
    expect(stateOf(loop, 'apps')).toMatchObject({ error: '' })
    expect(stateOf(loop, 'apps')?.waiting[0]).toMatch(
      /^fleet edge: found 42\.1\.3 \(sha256:a{12}\), waits until \d{4}-\d\d-\d\d \d\d:\d\d UTC$/,
    )
    expect(wants.at(-1)?.fleets).toEqual([])
    await stops.splice(0)[0]?.()
    const file = join(dir, 'state', 'images.json')
    const stored = await readFile(file, 'utf8')
    const aged = stored.replaceAll(
      /"firstSeenMs":(\d+)/g,
      (_, at) => `"firstSeenMs":${Number(at) - 24 * hour}`,
    )
    await writeFile(file, aged)
    await follow(sources, 2)
    expect(wants.at(-1)?.fleets[0]?.image?.digest).toBe(digest('a'))
  })
})
