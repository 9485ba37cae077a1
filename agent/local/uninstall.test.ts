import { execFileSync } from 'node:child_process'
import { access, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../config.ts'
import type { AgentConfig } from '../config.ts'
import type { Status } from '../container-snap/commands/status-view.ts'
import { bundle } from '../container-snap/testing/program.ts'
import { openRegistry, systemTree } from '../container-snap/testing/registry.ts'
import type { Registry } from '../container-snap/testing/registry.ts'
import { openSysroot } from '../container-snap/testing/sysroot.ts'
import type { Sysroot } from '../container-snap/testing/sysroot.ts'
import { lockInstance } from '../instance-lock.ts'
import { uninstall } from './uninstall.ts'

const signal = new AbortController().signal
const away = { controller: { address: 'c.example:443' }, nats: { url: 'nats://n.example' } }
const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

describe('removing the agent from a host', () => {
  let base: string
  let registry: Registry
  let disk: Sysroot
  let program: string
  let first: string

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-uninstall-'))
    registry = await openRegistry()
    disk = await openSysroot(512)
    program = join(base, 'container-snap')
    await bundle('main.ts', `${program}.mjs`)
    await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${program}.mjs "$@"\n`, { mode: 0o755 })
    first = call('create-snapshot', (await pull('0')).imageId)
    call('activate', first)
    await disk.reboot()
  }, 180_000)

  afterAll(async () => {
    await disk.close()
    await registry.close()
    await rm(base, { recursive: true, force: true })
  }, 60_000)

  function call(...words: readonly string[]): string {
    const env = { ...process.env, CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
    return execFileSync(program, ['--sysroot', disk.directory, ...words], { encoding: 'utf8', env }).trim()
  }

  async function pull(version: string): Promise<{ image: string; imageId: string }> {
    const digest = await registry.push(`os/edge:${version}`, [systemTree(version)])
    const image = `docker://${registry.address}/os/edge@${digest}`
    return { image, ...(JSON.parse(call('pull', '--json', image)) as { imageId: string }) }
  }

  const status = (): Status => JSON.parse(call('status', '--json')) as Status

  async function config(): Promise<AgentConfig> {
    const device = execFileSync('findmnt', ['-n', '-v', '-o', 'SOURCE', disk.directory], { encoding: 'utf8' })
    const place = { sysroot: disk.directory, device: device.trim(), runDir: join(base, 'run') }
    const host = { driver: 'container-snap', command: program, ...place }
    const text = JSON.stringify({ name: 'till-1', stateDir: join(base, 'state'), host, ...away })
    await mkdir(join(base, 'state/identity'), { recursive: true })
    await writeFile(join(base, 'state/identity/key.pem'), 'a key')
    await writeFile(join(base, 'agent.yaml'), text)
    return parseConfig(text, 'test')
  }

  async function remove(identity: 'kept' | 'purged'): Promise<readonly string[]> {
    return uninstall({ config: await config(), configPath: join(base, 'agent.yaml'), identity, signal })
  }

  it('leaves what runs as what boots, without a trial, and its keys where nobody said otherwise', async () => {
    call('bless')
    const lines = await remove('kept')
    expect(lines[0]).toBe('no unit of bootfleet was there')
    expect(lines[1]).toContain(`${first} runs, boots next, and boots without being tried`)
    expect(lines.at(-1)).toContain('bootfleet revoke host/till-1')
    expect(await isThere(join(base, 'state/identity/key.pem'))).toBe(true)
    expect(status()).toMatchObject({ current: { id: first, blessed: true }, default: { id: first } })
  }, 120_000)

  it('is refused, and changes nothing, while another image boots next or is on trial', async () => {
    const second = call('deploy', (await pull('1')).image)
    call('activate', second)
    await expect(remove('purged')).rejects.toThrow(`uninstalling: ${second} boots next; reboot into it first`)
    await disk.reboot()
    await expect(remove('purged')).rejects.toThrow(`${second}, which runs, is on trial; wait for its verdict`)
    expect(await isThere(join(base, 'state/identity/key.pem'))).toBe(true)
    call('bless')
    await remove('purged')
    expect(await isThere(join(base, 'state'))).toBe(false)
    expect(await isThere(join(base, 'agent.yaml'))).toBe(false)
    await disk.reboot()
    const after = status()
    expect(after).toMatchObject({ current: { id: second }, default: { id: second }, activated: null })
    expect(after.deployments.map(({ id }) => id)).toContain(first)
  }, 240_000)

  it('is refused while an agent runs that no service manager could stop', async () => {
    const lock = await lockInstance((await config()).stateDir)
    await expect(remove('kept')).rejects.toThrow('another agent runs with it')
    await lock.release()
  }, 120_000)
})

describe('the units and files of an agent', () => {
  let root: string
  let config: AgentConfig
  const image = { digest: `sha256:${'1'.repeat(64)}`, version: '1' }

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bootfleet-units-'))
    const units = join(root, 'usr/lib/systemd/system')
    await mkdir(units, { recursive: true })
    const packaged = join(import.meta.dirname, '../../packaging/systemd')
    const names = await readdir(packaged)
    for (const name of names) await copyFile(join(packaged, name), join(units, name))
    execFileSync('systemctl', [`--root=${root}`, 'enable', ...names], { stdio: 'ignore' })
    const host = { driver: 'simulated', image }
    config = parseConfig(JSON.stringify({ stateDir: join(root, 'state'), host, ...away }), 'test')
  }, 60_000)
  afterEach(() => rm(root, { recursive: true, force: true }))

  const remove = (identity: 'kept' | 'purged', stopped = signal): Promise<readonly string[]> =>
    uninstall({ config, configPath: join(root, 'agent.yaml'), identity, signal: stopped, unitRoot: root })

  async function enabledUnits(): Promise<readonly string[]> {
    const names = await readdir(join(root, 'usr/lib/systemd/system'))
    const isEnabled = (name: string): string => {
      try {
        const words = [`--root=${root}`, 'is-enabled', name]
        return execFileSync('systemctl', words, { encoding: 'utf8' }).trim()
      } catch {
        return 'disabled'
      }
    }
    return names.filter((name) => isEnabled(name) === 'enabled')
  }

  it('do not start again, and the root stays read-only', async () => {
    await remove('kept')
    expect(await enabledUnits()).toEqual(['container-snap-readonly.service'])
  }, 60_000)

  it('are enabled again, those that were, where it cannot go on behind that', async () => {
    execFileSync('systemctl', [`--root=${root}`, 'disable', 'bootfleet-health.service'], { stdio: 'ignore' })
    const before = await enabledUnits()
    const lock = await lockInstance(config.stateDir)
    await expect(remove('kept')).rejects.toThrow(
      /another agent runs with it.*; enabled again: bootfleet-agent\.service, bootfleet-emergency\.service/,
    )
    await lock.release()
    expect(await enabledUnits()).toEqual(before)
  }, 60_000)

  it('stay while an adoption is not finished', async () => {
    const before = await enabledUnits()
    await mkdir(join(root, 'var/lib/bootfleet'), { recursive: true })
    await writeFile(join(root, 'var/lib/bootfleet/adopt.json'), '{"finishedAt":null}')
    await expect(remove('purged')).rejects.toThrow(
      'adopt --finish, or back with bootfleet-agent adopt --undo',
    )
    expect(await enabledUnits()).toEqual(before)
  }, 60_000)

  it('are purged by name, and what else is in the folders stays', async () => {
    const [own, theirs] = [join(root, 'state'), join(root, 'lib')]
    await mkdir(join(theirs, 'dpkg'), { recursive: true })
    await mkdir(own)
    for (const name of ['key.pem.sealed', 'nats.key', 'nats.jwt', 'certificate.pem', 'ca.pem.new'])
      await writeFile(join(own, name), 'a')
    const set = `state.json.damaged-${new Date().toISOString().replaceAll(':', '')}`
    for (const name of ['state.json', set, 'trust.jsonl', 'others.json', 'dpkg/status'])
      await writeFile(join(theirs, name), 'a')
    await writeFile(join(root, 'agent.yaml'), 'a')
    const places = { stateDir: theirs, identityDir: own }
    config = parseConfig(JSON.stringify({ ...places, host: { driver: 'simulated', image }, ...away }), 'test')
    expect((await remove('purged')).join('\n')).toContain(`${theirs}; it stays, for it also has`)
    expect((await readdir(theirs, { recursive: true })).toSorted()).toEqual([
      'dpkg',
      'dpkg/status',
      'others.json',
    ])
    expect([await isThere(own), await isThere(join(root, 'agent.yaml'))]).toEqual([false, false])
  }, 60_000)
})
