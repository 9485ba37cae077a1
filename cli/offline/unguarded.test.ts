import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { allHostsFleet } from '../../test/support/all-hosts-fleet.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import { HostStatusSchema } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { exitStatus } from '../exit-status.ts'
import { inventoryHostOf } from './inventory.ts'

const [one, two] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`)
let dir = ''

const fleet = allHostsFleet(two, [['till-2', 'allowUnguardedBoot: true']])

async function look(command: 'preview' | 'simulate', hosts: readonly string[]) {
  const running = `running: { digest: "${one}", version: 1.0.0 }`
  const lines = hosts.map((host) => `  - { ${host}, ${running} }\n`)
  await writeFile(join(dir, 'hosts.inventory'), `hosts:\n${lines.join('')}`)
  return runBootfleet([command, dir, '--inventory', join(dir, 'hosts.inventory'), '-o', 'json'])
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootfleet-offline-unguarded-'))
  await writeFile(join(dir, 'fleet.yaml'), fleet)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const hosts = ['name: till-1, unguarded: true', 'name: till-2, unguarded: true', 'name: till-3']

it.each(['preview', 'simulate'] as const)(
  '%s leaves hosts that nothing would lead back to what they run, unless git allows it, and says why',
  async (command) => {
    const { out, status } = await look(command, hosts)
    expect(status).toBe(exitStatus.done)
    const [edge] = JSON.parse(out).fleets as { waves: { size: number }[]; hosts: { name: string }[] }[]
    expect(edge?.waves.reduce((sum, { size }) => sum + size, 0)).toBe(2)
    expect(edge?.hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      { name: 'till-1', toDigest: one, reason: expect.stringContaining('no automatic fallback') as string },
      { name: 'till-2', toDigest: two, reason: '' },
      { name: 'till-3', toDigest: two, reason: '' },
    ])
  },
)

it('where no other host is there, nothing begins', async () => {
  const { out } = await look('preview', hosts.slice(0, 1))
  expect(JSON.parse(out).fleets).toMatchObject([{ waves: [], hosts: [{ name: 'till-1', toDigest: one }] }])
})

it('the controller’s hosts are taken so as they say it', () => {
  const host = (unguarded: boolean) =>
    inventoryHostOf(create(HostStatusSchema, { name: 'till-1', unguarded }))
  expect([host(true).unguarded, host(false).unguarded]).toEqual([true, false])
})
