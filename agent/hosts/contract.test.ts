import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../container-snap/testing/program.ts'
import { openRegistry, systemTree } from '../container-snap/testing/registry.ts'
import { openSysroot } from '../container-snap/testing/sysroot.ts'
import { run } from '../exec.ts'
import { digestOf } from '../testing/plans.ts'
import type { Image } from '../update/types.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { HostDriver, PullOptions } from './host-driver.ts'
import { openSimulatedHost } from './simulated.ts'
import { sysrootMachine } from './sysroot-machine.ts'

/** A host that runs a first deployment, and an image that it could run. */
type Bench = {
  readonly driver: HostDriver
  readonly image: Image
  /** Break what a crash in the middle of a reboot would leave broken. */
  readonly crashInReboot: () => Promise<void>
  /** Give a staged deployment a check `good` that passes and one `bad` that prints its last words. */
  readonly addChecks: (deploymentId: string) => Promise<void>
  readonly close: () => Promise<void>
}

const signal = new AbortController().signal
const quietly: PullOptions = { maxBytes: 1e9, onProgress: () => {}, signal }

async function openSimulatedBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'bootfleet-simulated-'))
  const driver = await openSimulatedHost({
    path: join(directory, 'machine.json'),
    seed: { digest: digestOf('0'), manifestDigest: digestOf('0'), version: '0' },
    stepDelayMs: 10,
    check: (name) =>
      name === 'good'
        ? { kind: 'passed' }
        : { kind: 'failed', detail: 'exit status 3: last words', final: name !== 'bad' },
  })
  const image = {
    repository: 'r.example/os',
    digest: digestOf('1'),
    manifestDigest: digestOf('1'),
    version: '1',
  }
  return {
    driver,
    image,
    crashInReboot: async () => {},
    addChecks: async () => {},
    close: () => rm(directory, { recursive: true, force: true }),
  }
}

async function openContainerSnapBench(): Promise<Bench> {
  const base = await mkdtemp(join(tmpdir(), 'bootfleet-container-snap-'))
  const registry = await openRegistry()
  const disk = await openSysroot(512)
  const program = join(base, 'container-snap')
  const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
  await bundle('main.ts', `${program}.mjs`)
  await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${program}.mjs "$@"\n`, { mode: 0o755 })
  const device = execFileSync('findmnt', ['-n', '-v', '-o', 'SOURCE', disk.directory], {
    encoding: 'utf8',
  }).trim()
  const options = { sysroot: disk.directory, device, runDir: join(base, 'run') }
  const machine = sysrootMachine(options)
  const driver = openContainerSnapHost({ command: program, machine, env })
  const push = async (version: string): Promise<Image> => {
    const digest = await registry.push(`os/edge:${version}`, [systemTree(version)])
    return { repository: `${registry.address}/os/edge`, digest, manifestDigest: digest, version }
  }
  await driver.prepare(signal)
  const first = await driver.stage(await push('0'), quietly)
  await driver.activate(first, signal)
  await driver.reboot(signal)
  return {
    driver,
    image: await push('1'),
    crashInReboot: async () => {
      await run(['umount', '--recursive', join(disk.directory, 'var')], {
        attempt: 'unmounting',
        signal,
        timeoutMs: 10_000,
      })
    },
    addChecks: async (deploymentId) => {
      const command = [program, '--sysroot', disk.directory, 'get-root', deploymentId] as const
      const root = (
        await run(command, { attempt: 'finding the root', signal, timeoutMs: 10_000, env })
      ).trim()
      await addShell(root)
      await addProgram(root, '/usr/lib/bootfleet/checks/good', '#!/bin/sh\ntest -z "$*"\n')
      await addProgram(
        root,
        '/usr/lib/bootfleet/checks/bad',
        '#!/bin/sh\necho first; echo last words\nexit 3\n',
      )
    },
    close: async () => {
      await disk.close()
      await registry.close()
      await rm(base, { recursive: true, force: true })
    },
  }
}

async function addProgram(root: string, path: string, text: string): Promise<void> {
  await mkdir(join(root, dirname(path)), { recursive: true })
  await writeFile(join(root, path), text)
  await chmod(join(root, path), 0o755)
}

/** This machine's shell, and the libraries it needs. */
async function addShell(root: string): Promise<void> {
  const needed = execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  for (const path of ['/bin/sh', ...needed]) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
}

describe.each([
  ['simulated', openSimulatedBench],
  ['container-snap', openContainerSnapBench],
])('a %s host', (_name, open) => {
  let bench: Bench
  let firstId = ''
  let stagedId = ''

  beforeAll(async () => {
    bench = await open()
  }, 120_000)

  afterAll(() => bench.close(), 60_000)

  it('runs its first deployment, and says the same twice', async () => {
    const facts = await bench.driver.inspect(signal)
    expect(facts.current).toEqual(facts.default)
    expect(facts.current?.digest).toMatch(/^sha256:/)
    expect(facts.deployments).toContainEqual(facts.current)
    expect(await bench.driver.inspect(signal)).toEqual(facts)
    firstId = facts.current?.deploymentId ?? ''
  })

  it('pulls no more than it may', async () => {
    const pulling = bench.driver.pull(bench.image, { ...quietly, maxBytes: 10 })
    await expect(pulling).rejects.toMatchObject({ code: 'DownloadTooLarge' })
  })

  it('pulls an image by digest with progress, and again at no cost', async () => {
    const progress: number[] = []
    const onProgress = (doneBytes: number): void => void progress.push(doneBytes)
    const pulled = await bench.driver.pull(bench.image, { ...quietly, onProgress })
    expect(pulled.manifestDigest).toBe(bench.image.manifestDigest)
    expect(progress.at(-1)).toBeGreaterThan(0)
    await bench.driver.pull(bench.image, quietly)
  })

  it('stages a deployment without changing what boots', async () => {
    const before = await bench.driver.inspect(signal)
    stagedId = await bench.driver.stage(bench.image, quietly)
    const after = await bench.driver.inspect(signal)
    const { digest, manifestDigest } = bench.image
    expect(after.deployments).toContainEqual({ deploymentId: stagedId, digest, manifestDigest })
    expect([after.current, after.default, after.bootId]).toEqual([
      before.current,
      before.default,
      before.bootId,
    ])
    await bench.addChecks(stagedId)
  })

  it('activates it without changing what runs', async () => {
    const before = await bench.driver.inspect(signal)
    await bench.driver.activate(stagedId, signal)
    await bench.driver.activate(stagedId, signal)
    const after = await bench.driver.inspect(signal)
    expect(after.default?.deploymentId).toBe(stagedId)
    expect([after.current, after.bootId]).toEqual([before.current, before.bootId])
  })

  it('runs it after a reboot, under a new boot id', async () => {
    const before = await bench.driver.inspect(signal)
    await bench.driver.reboot(signal)
    const after = await bench.driver.inspect(signal)
    expect(after.current?.deploymentId).toBe(stagedId)
    expect(after.bootId).not.toBe(before.bootId)
    expect(await bench.driver.osRelease()).toMatchObject({ version: '1' })
  })

  it('runs the checks of the image that runs', async () => {
    expect(await bench.driver.runCheck('good', signal)).toEqual({ kind: 'passed' })
    const bad = await bench.driver.runCheck('bad', signal)
    expect(bad).toEqual({ kind: 'failed', detail: 'exit status 3: last words', final: false })
    expect(await bench.driver.runCheck('none', signal)).toMatchObject({ kind: 'failed', final: true })
  })

  it('is usable again after a crash in the middle of a reboot', async () => {
    await bench.crashInReboot()
    await bench.driver.prepare(signal)
    expect((await bench.driver.inspect(signal)).current?.deploymentId).toBe(stagedId)
  })

  it('goes back to the first deployment', async () => {
    await bench.driver.activate(firstId, signal)
    await bench.driver.reboot(signal)
    const facts = await bench.driver.inspect(signal)
    expect([facts.current?.deploymentId, facts.default?.deploymentId]).toEqual([firstId, firstId])
  })

  it('does not activate what it does not have', async () => {
    const facts = await bench.driver.inspect(signal)
    await expect(bench.driver.activate(`${'0'.repeat(64)}-work7`, signal)).rejects.toMatchObject({
      code: 'ActivateFailed',
    })
    expect(await bench.driver.inspect(signal)).toEqual(facts)
  })
})
