import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseConfig } from '../config.ts'
import { digestOf } from '../testing/plans.ts'
import { answer } from './commands.ts'
import type { LocalCommand } from './commands.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'agent-local-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const ask = (command: LocalCommand, host: object) => {
  const settings = {
    stateDir: directory,
    controller: { address: 'localhost:1' },
    nats: { url: 'tls://localhost:1' },
    host,
  }
  const config = parseConfig(JSON.stringify(settings), 'test')
  return answer(command, { config, agentWithinMs: 0, signal: new AbortController().signal })
}

const image = { digest: digestOf('1'), version: '1' }
const simulated = { driver: 'simulated', image }
const reportOnly = { driver: 'report-only' }

it('a host that only reports says whom it believes and how its keys are kept, as every host does', async () => {
  for (const host of [reportOnly, simulated]) {
    const { lines } = await ask('status', host)
    expect(lines.filter((line) => /^(trust|keys) {2,}\S/.test(line))).toHaveLength(2)
  }
})

it('each kind of host says in its own words what it is never asked for', async () => {
  expect((await ask('health', simulated)).lines).toEqual(['a simulated host is never on trial'])
  for (const command of ['why', 'check', 'health'] as const) {
    expect((await ask(command, reportOnly)).lines).toEqual([
      'this host only reports what it runs (driver: report-only), and is never updated',
    ])
  }
  expect((await ask('check', simulated)).lines).toEqual(['no plan has come yet'])
})
