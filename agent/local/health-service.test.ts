import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../config.ts'
import { bundle } from '../container-snap/testing/program.ts'
import { openRegistry, systemTree } from '../container-snap/testing/registry.ts'
import type { Registry } from '../container-snap/testing/registry.ts'
import { openSysroot } from '../container-snap/testing/sysroot.ts'
import type { Sysroot } from '../container-snap/testing/sysroot.ts'
import { openMachine } from '../hosts/open-host.ts'
import { writeState } from '../state-file.ts'
import { acceptedPlan } from '../testing/machine-model.ts'
import { worldIn } from '../testing/world.ts'
import type { Phase } from '../update/types.ts'
import { awaitVerdict } from './health-service.ts'

const signal = new AbortController().signal

describe('the health service of a host', () => {
  let base: string
  let registry: Registry
  let disk: Sysroot
  let program: string

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-health-'))
    registry = await openRegistry()
    disk = await openSysroot(512)
    program = join(base, 'container-snap')
    await bundle('main.ts', `${program}.mjs`)
    await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${program}.mjs "$@"\n`, { mode: 0o755 })
    await run('0')
    call('bless')
    await machine().prepare(signal)
  }, 120_000)

  afterAll(async () => {
    await disk.close()
    await registry.close()
    await rm(base, { recursive: true, force: true })
  }, 60_000)

  function call(...words: readonly string[]): string {
    const env = { ...process.env, CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
    return execFileSync(program, ['--sysroot', disk.directory, ...words], { encoding: 'utf8', env }).trim()
  }

  /** Pull an image and put it on trial; the first has nothing to be deployed from. */
  async function run(version: string): Promise<void> {
    const digest = await registry.push(`os/edge:${version}`, [systemTree(version)])
    const image = `docker://${registry.address}/os/edge@${digest}`
    const { imageId } = JSON.parse(call('pull', '--json', image)) as { imageId: string }
    call('activate', version === '0' ? call('create-snapshot', imageId) : call('deploy', image))
    await disk.reboot()
    await machine().reboot(signal)
  }

  function config() {
    const device = execFileSync('findmnt', ['-n', '-v', '-o', 'SOURCE', disk.directory], { encoding: 'utf8' })
    const place = { sysroot: disk.directory, device: device.trim(), runDir: join(base, 'run') }
    const host = { driver: 'container-snap', command: program, ...place }
    const rest = { controller: { address: 'c.example:443' }, nats: { url: 'nats://n.example' } }
    return parseConfig(JSON.stringify({ stateDir: join(base, 'state'), host, ...rest }), 'test')
  }

  function machine() {
    const { host } = config()
    if (host.driver !== 'container-snap') throw new Error('the test runs container-snap')
    return openMachine(host)
  }

  const verdict = (agentWithinMs: number) =>
    awaitVerdict({ config: config(), machine: machine(), agentWithinMs, pollMs: 50, signal })

  async function agentIs(phase: Phase): Promise<void> {
    const { disk: state } = worldIn(phase, acceptedPlan('1'))
    const bootId = await machine().bootId()
    await writeState(join(base, 'state/state.json'), { ...state, booted: { ...state.booted, bootId } })
  }

  it('lets a boot of what has proven itself be complete at once', async () => {
    expect(await verdict(60_000)).toMatchObject({ kind: 'passed' })
  })

  it('fails a boot on trial in which no agent starts', async () => {
    await run('1')
    expect(await verdict(500)).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('the agent did not start') as string,
    })
  })

  it('waits for the verdict of the agent, and then lets the boot be complete', async () => {
    await agentIs('Verifying')
    const waiting = verdict(500)
    await expect(
      Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 1_500, 'none'))]),
    ).resolves.toBe('none')
    call('bless')
    await agentIs('Healthy')
    expect(await waiting).toMatchObject({ kind: 'passed' })
  })
})
