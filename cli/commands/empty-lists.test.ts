import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runBootfleet, startBootfleet } from '../../test/support/command-line.ts'
import { startGrpcWorld } from '../../test/support/grpc-world.ts'
import type { GrpcWorld } from '../../test/support/grpc-world.ts'
import { contextOfServer } from '../../test/support/operator-context.ts'
import { snapshotOfFleets } from '../../test/support/snapshot-of-fleets.ts'

let world: GrpcWorld
let dir: string
let context: string

beforeAll(async () => {
  world = await startGrpcWorld()
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-empty-lists-'))
  context = await contextOfServer(world, dir)
  world.snapshot = snapshotOfFleets([])
})
afterAll(async () => {
  await world.close()
  await rm(dir, { recursive: true })
})

const nobody = `sha256:${'e'.repeat(64)}`

it.each([
  ['get fleets', 'no fleets that you may see; git declares them: "bootfleet get sources"'],
  ['get rollouts', 'no rollouts that you may see; a rollout begins when'],
  ['get waves', 'no waves that you may see; a rollout begins when'],
  ['get requests', 'no requests that you may see; hosts ask with a token'],
  ['get hosts -l site=eu', 'no hosts match -l; without -l "bootfleet get hosts" lists all'],
  ['get rollouts --fleet edge', 'no rollouts of fleet edge that you may see; "bootfleet get fleets"'],
  ['get fleets -o name', 'no fleets that you may see'],
  ['get fleets -o wide', 'no fleets that you may see'],
  ['enrol token list', 'no tokens of the last day; "bootfleet enrol token create" makes one'],
  ['events', 'no events that you may see'],
  ['audit', 'no entries that you may see'],
  ['audit --fleet edge', 'no entries about fleet edge that you may see'],
  [`hosts --running ${nobody}`, 'no hosts run it'],
  ['images -l site=eu', 'no images: no host said what it runs'],
  ['context list', 'no contexts; "bootfleet context set"'],
])(
  '%s with nothing to list prints nothing but a sentence for people, and is no failure',
  async (line, said) => {
    const { note, out, status } = await runBootfleet(['--context', context, ...line.split(' ')])
    expect({ out, status }).toEqual({ out: '', status: 0 })
    expect(note.startsWith(said) ? said : note).toBe(said)
  },
)

it.each(['get fleets', 'get hosts -l site=eu', 'get requests', 'enrol token list', 'events', 'audit'])(
  '%s -o json with nothing to list is an empty list',
  async (line) => {
    const { out, status } = await runBootfleet(['--context', context, ...line.split(' '), '-o', 'json'])
    expect({ listed: JSON.parse(out), status }).toEqual({ listed: [], status: 0 })
  },
)

it('a list that is watched has its header with its first row', async () => {
  const watching = startBootfleet(['--context', context, 'get', 'fleets', '-w'])
  await expect.poll(watching.note, { timeout: 60_000 }).toContain('no fleets that you may see')
  expect(watching.out()).toBe('')
  world.snapshot = snapshotOfFleets(['edge'])
  world.change()
  await expect.poll(watching.out, { timeout: 60_000 }).toMatch(/^FLEET .*\nedge /)
  watching.interrupt()
  await watching.ended
})
