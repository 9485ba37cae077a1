import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../container-snap/testing/program.ts'
import { openRegistry, systemTree } from '../container-snap/testing/registry.ts'
import { openSysroot } from '../container-snap/testing/sysroot.ts'
import { run } from '../exec.ts'
import { openSimulatedBench } from '../testing/simulated-bench.ts'
import type { Bench } from '../testing/simulated-bench.ts'
import type { Image } from '../update/types.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { PullOptions } from './host-driver.ts'
import { sysrootMachine } from './sysroot-machine.ts'

const signal = new AbortController().signal
const quietly: PullOptions = { maxBytes: 1e9, onProgress: () => {}, signal }

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
  const seed = await push('0')
  await driver.pull(seed, quietly)
  await seedDeployment(program, disk.directory, { image: seed, env })
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

/** A first deployment, of an image that is here, as whoever sets up a host makes it. */
async function seedDeployment(
  program: string,
  sysroot: string,
  { image, env }: { readonly image: Image; readonly env: Record<string, string> },
): Promise<void> {
  const call = (...words: readonly string[]): Promise<string> =>
    run([program, '--sysroot', sysroot, ...words], { attempt: 'seeding', signal, timeoutMs: 60_000, env })
  const reference = `docker://${image.repository}@${image.digest}`
  const { imageId } = JSON.parse(await call('pull', '--json', reference)) as { imageId: string }
  await call('switch', (await call('create-snapshot', imageId)).trim())
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
    expect(facts.deployments).toContainEqual(expect.objectContaining({ ...facts.current, bad: null }))
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
    const wanted = { image: bench.image, kernelArguments: ['mitigations=off'] }
    const staged = await bench.driver.stage(wanted, signal)
    expect(staged.etcConflicts).toEqual([])
    stagedId = staged.deploymentId
    const after = await bench.driver.inspect(signal)
    const { digest, manifestDigest } = bench.image
    const found = after.deployments.find(({ deploymentId }) => deploymentId === stagedId)
    expect(found).toMatchObject({ digest, manifestDigest, blessed: false, bad: null })
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
    const policy = { units: [], http: [], greenboot: false, reachController: false }
    const checks = await bench.driver.checksOf({ ...policy, checks: ['good', 'bad', 'none'] })
    expect(checks.map(({ name }) => name)).toEqual(['good', 'bad', 'none'])
    const outcomes = await Promise.all(checks.map((check) => check.run(signal)))
    expect(outcomes).toMatchObject([
      { kind: 'passed' },
      { kind: 'failed', detail: 'exit status 3: last words', final: false },
      { kind: 'failed', final: true },
    ])
  })

  it('is usable again after a crash in the middle of a reboot', async () => {
    await bench.crashInReboot()
    await bench.driver.prepare(signal)
    expect((await bench.driver.inspect(signal)).current?.deploymentId).toBe(stagedId)
  })

  it('says what has proven itself, also when it is said twice', async () => {
    const find = async () =>
      (await bench.driver.inspect(signal)).deployments.find(({ deploymentId }) => deploymentId === stagedId)
    expect(await find()).toMatchObject({ blessed: false, bad: null })
    await bench.driver.bless(stagedId, signal)
    await bench.driver.bless(stagedId, signal)
    expect(await find()).toMatchObject({ blessed: true, bad: null })
  })

  it('goes back to the first deployment, and knows why it left the other', async () => {
    const { bootId } = await bench.driver.inspect(signal)
    await bench.driver.rollback(firstId, 'HealthFailed: check web-up\nfailed', signal)
    await bench.driver.rollback(firstId, 'HealthFailed: check web-up\nfailed', signal)
    expect((await bench.driver.inspect(signal)).default?.deploymentId).toBe(firstId)
    await bench.driver.reboot(signal)
    await bench.driver.prepare(signal)
    const facts = await bench.driver.inspect(signal)
    expect([facts.current?.deploymentId, facts.default?.deploymentId]).toEqual([firstId, firstId])
    const left = facts.deployments.find(({ deploymentId }) => deploymentId === stagedId)
    expect(left?.bad).toContain('HealthFailed: check web-up')
    const evidence = await bench.driver.evidence({ deploymentId: stagedId, bootId }, signal)
    expect(evidence.join('\n')).toContain(stagedId)
    expect(evidence.length).toBeLessThanOrEqual(32)
  })

  it('finds nothing to repair twice', async () => {
    expect(await bench.driver.prepare(signal)).toEqual([])
  })

  it('frees what is known to be bad, and nothing that it still needs', async () => {
    const removed = await bench.driver.tidy(signal)
    expect(removed.join('\n')).toContain(stagedId)
    const facts = await bench.driver.inspect(signal)
    const ids = facts.deployments.map(({ deploymentId }) => deploymentId)
    expect(ids).toEqual([firstId])
    expect(await bench.driver.tidy(signal)).toEqual([])
  })

  it('does not activate what it does not have', async () => {
    const facts = await bench.driver.inspect(signal)
    await expect(bench.driver.activate(`${'0'.repeat(64)}-work7`, signal)).rejects.toMatchObject({
      code: 'ActivateFailed',
    })
    expect(await bench.driver.inspect(signal)).toEqual(facts)
  })
})
