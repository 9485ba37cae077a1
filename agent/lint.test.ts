import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from './container-snap/testing/program.ts'
import { openRegistry, systemTree } from './container-snap/testing/registry.ts'
import { openSysroot } from './container-snap/testing/sysroot.ts'
import { run } from './exec.ts'
import { openContainerSnapHost } from './hosts/container-snap.ts'
import type { HostDriver } from './hosts/host-driver.ts'
import { sysrootMachine } from './hosts/sysroot-machine.ts'
import { runOperation } from './runners.ts'
import type { LintPolicy } from './update/staged.ts'
import type { Image, ResultEvent } from './update/types.ts'

const signal = new AbortController().signal
const onProgress = (): void => {}

describe('an image without a kernel', { timeout: 60_000 }, () => {
  let base: string
  let registry: Awaited<ReturnType<typeof openRegistry>>
  let disk: Awaited<ReturnType<typeof openSysroot>>
  let driver: HostDriver
  let image: Image

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'bootfleet-lint-'))
    registry = await openRegistry()
    disk = await openSysroot(512)
    const command = join(base, 'container-snap')
    await bundle('main.ts', `${command}.mjs`)
    await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${command}.mjs "$@"\n`, { mode: 0o755 })
    const asked = ['-n', '-v', '-o', 'SOURCE', disk.directory]
    const device = execFileSync('findmnt', asked, { encoding: 'utf8' }).trim()
    const machine = sysrootMachine({ sysroot: disk.directory, device, runDir: join(base, 'run') })
    const env = { CONTAINERS_REGISTRIES_CONF: registry.registriesConf }
    driver = openContainerSnapHost({ command, machine, env })
    await driver.prepare(signal)
    const words = ['--sysroot', disk.directory]
    const call = (...more: readonly string[]): Promise<string> =>
      run([command, ...words, ...more], { attempt: 'seeding', signal, timeoutMs: 60_000, env })
    await registry.push('os/edge:0', [systemTree('0')])
    const pulled = JSON.parse(await call('pull', '--json', `${registry.address}/os/edge:0`)) as {
      imageId: string
    }
    await call('switch', (await call('create-snapshot', pulled.imageId)).trim())
    await driver.reboot(signal)
    const digest = await registry.push('os/edge:1', [systemTree('1')])
    const repository = `${registry.address}/os/edge`
    image = { repository, digest, manifestDigest: digest, version: '1' }
    await driver.pull(image, { maxBytes: 1e9, onProgress, signal })
  }, 120_000)

  afterAll(async () => {
    await disk.close()
    await registry.close()
    await rm(base, { recursive: true, force: true })
  })

  const stage = (lint: LintPolicy | null): Promise<ResultEvent | null> =>
    runOperation(
      { kind: 'stage', operation: 1, image, maxBytes: 1e9, lint },
      { driver, log: pino({ level: 'silent' }), checkIntervalMs: 1, onProgress, signal },
    )

  it('is refused where git says Enforce, by the first rule that it fails and for good', async () => {
    const [first] = await driver.lint(image, signal)
    const refused = await stage('Enforce')
    expect(refused).toMatchObject({ kind: 'failed', code: 'RejectedByLint', retryable: false })
    expect(refused).toHaveProperty('message', expect.stringContaining(`checking ${image.digest}: ${first}`))
    expect((await driver.inspect(signal)).deployments).toHaveLength(1)
  })

  it('is deployed where git says Warn, with what was found', async () => {
    const staged = await stage('Warn')
    expect(staged).toMatchObject({ kind: 'staged', etcConflicts: [] })
    const found = staged?.kind === 'staged' ? (staged.lintFindings ?? []) : []
    expect(found.join('\n')).toContain('\nkernel: no kernel at /usr/lib/modules')
  })

  it('is not looked at where git says nothing', async () => {
    const staged = await stage(null)
    expect(staged).toMatchObject({ kind: 'staged' })
    expect(staged).not.toHaveProperty('lintFindings')
  })

  it('that is not there is not taken for a fit one', async () => {
    const gone = { ...image, digest: `sha256:${'0'.repeat(64)}` }
    await expect(driver.lint(gone, signal)).rejects.toMatchObject({ code: 'StageFailed' })
  })
})
