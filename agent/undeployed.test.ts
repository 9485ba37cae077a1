import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sealPlan } from '../proto/envelope.ts'
import { hostIdOf } from '../proto/identity.ts'
import { planSubject } from '../proto/subjects.ts'
import { openTestNats } from '../test/support/plan-stream.ts'
import type { TestNats } from '../test/support/plan-stream.ts'
import { startAgent } from './agent.ts'
import { parseConfig } from './config.ts'
import type { AgentConfig } from './config.ts'
import { bundle } from './container-snap/testing/program.ts'
import { openSysroot } from './container-snap/testing/sysroot.ts'
import type { Sysroot } from './container-snap/testing/sysroot.ts'
import { answer } from './local/commands.ts'
import { writeState } from './state-file.ts'
import { openAttachServer } from './testing/attach-server.ts'
import type { AttachServer } from './testing/attach-server.ts'
import { openTestAuthority } from './testing/certificates.ts'
import type { TestAuthority } from './testing/certificates.ts'
import { planFor } from './testing/plans.ts'
import { worldIn } from './testing/world.ts'

let base: string
let authority: TestAuthority
let server: AttachServer
let nats: TestNats
let disk: Sysroot
let config: AgentConfig
let stop: AbortController

beforeEach(async () => {
  stop = new AbortController()
  base = await mkdtemp(join(tmpdir(), 'bootfleet-undeployed-'))
  authority = openTestAuthority()
  server = await openAttachServer(authority)
  nats = await openTestNats(authority)
  disk = await openSysroot()
  const command = join(base, 'container-snap')
  await bundle('main.ts', `${command}.mjs`)
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${command}.mjs "$@"\n`, { mode: 0o755 })
  const { stdout: device } = await execa('findmnt', ['-n', '-v', '-o', 'SOURCE', disk.directory])
  const settings = {
    name: 'till-1',
    stateDir: join(base, 'state'),
    controller: { address: server.address },
    nats: { url: nats.url },
    host: { driver: 'container-snap', command, sysroot: disk.directory, device, runDir: join(base, 'run') },
  }
  config = parseConfig(JSON.stringify(settings), 'test')
})

afterEach(async () => {
  stop.abort()
  await disk.close()
  await server.close()
  await nats.close()
  authority.close()
  await rm(base, { recursive: true, force: true })
})

it('a host whose root is no deployment says what runs, and follows no plan', async () => {
  const starting = startAgent({ config, log: pino({ level: 'silent' }), heartbeatMs: 100 }, stop.signal)
  const hostId = await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
  const agent = await starting
  await server.waitFor((_, report) => report.facts?.driver === 'report-only')
  nats.connection.publish(planSubject(hostId), sealPlan(planFor(hostId, '1.0.0'), authority.directorKey))
  await nats.connection.flush()
  const heartbeats = server.received.length
  await expect.poll(() => server.received.length).toBeGreaterThan(heartbeats + 5)
  expect(server.reportsOf(hostId).filter(({ plan }) => plan !== undefined)).toEqual([])
  expect(await readdir(join(disk.store, 'snapshots'))).toEqual([])
  expect(await readdir(config.stateDir)).not.toContain('state.json')

  const lines = async (command: 'status' | 'why'): Promise<string> =>
    (await answer(command, { config, agentWithinMs: 0, signal: stop.signal })).lines.join('\n')
  for (const command of ['status', 'why'] as const)
    expect(await lines(command)).toMatch('so this host only reports; "bootfleet-agent adopt" makes it one')
  stop.abort()
  await agent.stopped
})

it('a trial that ends in a root that is no deployment is told as a failure before the host only reports', async () => {
  await mkdir(config.stateDir, { recursive: true })
  const { disk: state } = worldIn('Rebooting')
  await writeState(join(config.stateDir, 'state.json'), state)
  const starting = startAgent({ config, log: pino({ level: 'silent' }) }, stop.signal)
  await authority.enrol(config.identityDir, hostIdOf, nats.userFor)
  const agent = await starting
  const { failure } = await server.waitFor((_, report) => report.failure !== undefined)
  expect(failure).toMatchObject({ code: 'BootedOther' })
  const { lines } = await answer('why', { config, agentWithinMs: 0, signal: stop.signal })
  expect(lines).toEqual([
    expect.stringContaining('only reports'),
    expect.stringContaining('failure BootedOther'),
  ])
  stop.abort()
  await agent.stopped
})
