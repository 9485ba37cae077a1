import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exitStatus } from '../exit-status.ts'
import { runBootfleet } from '../../test/support/command-line.ts'
import type { Ran } from '../../test/support/command-line.ts'

const examples = join(import.meta.dirname, '../../examples')

const run = (...args: readonly string[]): Promise<Ran> => runBootfleet(args)

type Foretold = {
  readonly name: string
  readonly digest: string
  readonly waves: readonly { readonly name: string; readonly size: number }[]
  readonly hosts: readonly {
    readonly hostId: string
    readonly wave: string | null
    readonly toDigest: string
  }[]
}

const folders = readdirSync(examples, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

describe.each(folders)('examples/%s', (name) => {
  const dir = join(examples, name)
  const inventory = ['--inventory', join(dir, 'hosts.inventory'), '--at', '2026-11-18T09:00:00Z'] as const

  it('is valid', async () => {
    expect(await run('validate', dir)).toMatchObject({ status: exitStatus.done, note: '' })
  })

  it('would change hosts, and says which and when', async () => {
    const { out, status } = await run('preview', dir, ...inventory, '--detailed-exitcode')
    expect(status).toBe(exitStatus.differences)
    expect(out).toMatch(/WAVE +HOSTS +EARLIEST/)
    expect(await run('diff', dir, ...inventory.slice(0, 2))).toMatchObject({ status: exitStatus.differences })
  })

  it('is written out with every default as files that git could hold', async () => {
    const { out } = await run('preview', dir, '-o', 'yaml')
    const written = await mkdtemp(join(tmpdir(), 'bootfleet-preview-'))
    await writeFile(join(written, 'all.yaml'), out)
    expect(await run('validate', written)).toMatchObject({ status: exitStatus.done, note: '' })
    expect((await run('preview', written, '-o', 'yaml')).out).toBe(out)
    await rm(written, { recursive: true })
  })

  it('is previewed as a simulation without faults grants it', async () => {
    const grants = async (command: string) => {
      const { out } = await run(command, dir, ...inventory, '-o', 'json')
      const { fleets } = JSON.parse(out) as { readonly fleets: readonly Foretold[] }
      return fleets.map(({ digest, hosts, name: fleet, waves }) => ({
        fleet,
        digest,
        waves: waves.map(({ name: wave, size }) => ({ wave, size })),
        hosts: hosts.map(({ hostId, toDigest, wave }) => `${hostId} ${wave} ${toDigest}`).toSorted(),
      }))
    }
    expect(await grants('preview')).toEqual(await grants('simulate'))
  })

  it('comes to its end on a virtual clock when nothing fails', async () => {
    const { out, status } = await run('simulate', dir, ...inventory)
    expect(out).toMatch(/^Succeeded after /m)
    expect(status).toBe(exitStatus.done)
  })
})

describe('what a strategy does, offline', () => {
  const careful = join(examples, 'careful')
  const from = ['--inventory', join(careful, 'hosts.inventory'), '--at', '2026-11-18T09:00:00Z'] as const

  it('activates nothing before the window opens, and nothing on a host that is held', async () => {
    const { out } = await run('preview', careful, ...from, '-o', 'json')
    const [tills] = JSON.parse(out).fleets
    const opensAtMs = Date.parse('2026-11-21T21:00:00Z') - Date.parse('2026-11-18T09:00:00Z')
    for (const host of tills.hosts) {
      if (host.name === 'till-07')
        expect(host).toMatchObject({ activatedAtMs: null, reason: expect.stringMatching('held') })
      else expect(host.activatedAtMs).toBeGreaterThanOrEqual(opensAtMs)
    }
  })

  it('stops in the first wave when the image is broken, and says how far it got', async () => {
    const { out, status } = await run('simulate', careful, ...from, '--failure-rate', '100%')
    expect(status).toBe(exitStatus.failed)
    expect(out).toMatch(/blast radius: [12] hosts? of 30 booted it, [12] failed/)
  })

  it('gives a following fleet what the other one ran for long enough', async () => {
    const dir = join(examples, 'following')
    const { out } = await run('preview', dir, '--inventory', join(dir, 'hosts.inventory'), '-o', 'json')
    const production = JSON.parse(out).fleets.find(({ name }: { name: string }) => name === 'production')
    expect(production.hosts).toHaveLength(24)
    for (const host of production.hosts) expect(host.stagedAtMs).toBeGreaterThanOrEqual(24 * 3_600_000)
  })

  it('prints a preview as markdown in which no name is markup', async () => {
    const { out } = await run('preview', careful, ...from, '--output', 'markdown')
    expect(out).toMatch(/^### fleet tills: /)
    expect(out).toMatch(/\| 1 \| till-0[01] \| laboratory \|/)
  })

  it('refuses an inventory as a compiler would', async () => {
    const { note, status } = await run('preview', careful, '--inventory', join(careful, 'fleet.yaml'))
    expect(status).toBe(exitStatus.error)
    expect(note).toMatch(/fleet\.yaml:\d+:\d+: /)
  })

  it('lives through a made-up fleet by its seed', async () => {
    const { out, status } = await run('simulate', '--random', '--seed', '3')
    expect(out).toMatch(/^seed 3: \d+ hosts, \d+ host-hours, \d+ events; every invariant holds$/m)
    expect(status).toBe(exitStatus.done)
  })
})
