import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { apply } from '../../controller/rollout/engine.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { contextOfServer } from '../../test/support/operator-context.ts'
import { imageOf } from '../../test/support/rollout-agent.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'
import { exitStatus } from '../exit-status.ts'

const { digest } = imageOf('2.0.0')
const next = imageOf('3.0.0').digest
const wallMs = Date.UTC(2026, 10, 20, 14, 2)

let world: GrpcWorld
let dir: string
let context: string

beforeAll(async () => {
  world = await startGrpcWorld()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-denied-'))
  context = await contextOfServer(world, dir)
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true })
})

/** In git it is `wanted`, and hosts of the fleet run 1.0.0; the controller's fleet denies 2.0.0. */
async function filesFor(wanted: string, more = ''): Promise<string> {
  const files = await mkdtemp(join(dir, 'files-'))
  const text = `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { matchLabels: { fleet: edge } }
  image: { repository: r.example/os, digest: "${wanted}" }
  strategy: all
${more}---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: all }
spec: { onFailure: Pause }
`
  await writeFile(join(files, 'fleet.yaml'), text)
  return files
}

const run = (...words: readonly string[]): Promise<Ran> => runBootfleet(['--context', context, ...words])

describe.each(['preview', 'simulate'])('%s of an image that is denied in the live fleet', (command) => {
  beforeEach(() => {
    const snapshot = snapshotOfFleets(['edge'])
    const denial = { kind: 'deny', fleet: 'edge', digest, actor: 'kim', reason: 'leaks' } as const
    const { state } = apply(snapshot.state, denial, { wallMs, elapsedMs: 0 })
    world.snapshot = { ...snapshot, state }
  })

  it('says at once since when, by whom, why and what to do, and shows no wave', async () => {
    const { out, status } = await run(command, await filesFor(digest))
    expect(out).toContain(
      [
        'fleet edge: sha256:200000000000… is denied, so no rollout begins; nothing changes on 1 host',
        '  denied since 2026-11-20 14:02Z by kim: leaks',
        '  name another digest in git; or, if it is good after all: bootfleet allow edge 200000000000 --reason "…"\n',
      ].join('\n'),
    )
    expect(out).not.toContain('WAVE')
    expect(status).toBe(command === 'simulate' ? exitStatus.failed : exitStatus.done)
  })

  it('says so in what a script reads', async () => {
    const { out } = await run(command, await filesFor(digest), '-o', 'json')
    const denials = [{ digest, reason: 'leaks', origin: 'Operator', actor: 'kim', atMs: wallMs }]
    expect(JSON.parse(out).fleets).toMatchObject([{ name: 'edge', state: 'Denied', waves: [], denials }])
  })

  it('names what denies it in git beside', async () => {
    const files = await filesFor(digest, `  deny: [{ digest: "${digest}", reason: CVE-2026-1 }]\n`)
    const { out } = await run(command, files)
    expect(out.split('\n').slice(1, 4)).toEqual([
      '  denied since 2026-11-20 14:02Z by kim: leaks',
      '  denied by these files: CVE-2026-1',
      '  name another digest in git; or, if it is good after all: bootfleet allow edge 200000000000 --reason "…" and take it out of deny of fleet edge',
    ])
  })

  it('shows the waves of any other image', async () => {
    const { out } = await run(command, await filesFor(next))
    expect(out).toMatch(/^fleet edge: \S+@sha256:10000\S+ → sha256:30000\S+ on 1 of 1 host\n[^]*\nWAVE /)
    expect(out).not.toContain('denied')
  })
})

it('a markdown preview says it too, and no name in it is markup', async () => {
  const { out } = await run('preview', await filesFor(digest), '--output', 'markdown')
  expect(out).toContain('### fleet edge: sha256:200000000000… is denied, so no rollout begins')
  expect(out).toContain('\ndenied since 2026-11-20 14:02Z by kim: leaks\n')
})

it('an image that a rollback denied is previewed as one, while the controller hears nothing of git’s denials', async () => {
  const snapshot = snapshotOfFleets(['edge'])
  const fleet = snapshot.state.fleets.get('edge')
  if (fleet === undefined) throw new Error('no fleet')
  const denial = { digest, atMs: wallMs, actor: '' }
  fleet.record = {
    ...fleet.record,
    denied: [
      { ...denial, origin: 'Rollback', reason: 'edge-1 failed' },
      { ...denial, digest: next, origin: 'Git', reason: 'git denied it once' },
    ],
  }
  world.snapshot = snapshot
  expect((await run('preview', await filesFor(digest))).out).toContain(
    '  denied since 2026-11-20 14:02Z by a rollback: edge-1 failed\n',
  )
  expect((await run('preview', await filesFor(next))).out).not.toContain('denied')
})
