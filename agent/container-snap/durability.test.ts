import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openProgram } from './testing/program.ts'
import type { Program } from './testing/program.ts'
import { openRegistry, systemTree } from './testing/registry.ts'
import type { Registry } from './testing/registry.ts'
import { readLedger } from './testing/stage.ts'
import type { Pulled } from './testing/stage.ts'
import { openSysroot } from './testing/sysroot.ts'
import type { Sysroot } from './testing/sysroot.ts'

/** Real tools behind wrappers that write down what was called, and whether an image was marked ready by then. */
describe('the order that survives a power cut', () => {
  let base: string
  let registry: Registry
  let sysroot: Sysroot
  let program: Program
  let imageId = ''
  const value = (...args: string[]): Promise<string> => program.value('--sysroot', sysroot.directory, ...args)
  const log = (): string => join(base, 'calls')
  const calls = async (): Promise<string[]> => (await readFile(log(), 'utf8')).trim().split('\n')

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'container-snap-order-'))
    registry = await openRegistry()
    sysroot = await openSysroot()
    for (const tool of ['btrfs', 'skopeo']) {
      const real = execFileSync('which', [tool], { encoding: 'utf8' }).trim()
      const lines = [
        '#!/bin/sh',
        `ready=$(grep -c '"readyAt": "' ${sysroot.store}/ledger.json 2>/dev/null)`,
        `case "$*" in`,
        `  *"filesystem sync"*) echo "sync ready=\${ready:-0}" >> ${log()} ;;`,
        `  *set-default*) echo set-default >> ${log()}; test -e ${base}/forget && exit 0 ;;`,
        `  *get-default*) echo get-default >> ${log()} ;;`,
        `  *" copy "*) echo copy >> ${log()} ;;`,
        'esac',
        `exec ${real} "$@"`,
      ]
      await writeFile(join(base, tool), `${lines.join('\n')}\n`, { mode: 0o755 })
    }
    // oxlint-disable-next-line node/no-process-env -- the tools behind the wrappers are found as always
    const path = `${base}:${process.env['PATH'] ?? ''}`
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf, PATH: path })
    const digest = await registry.push('os:1', [systemTree('1')])
    await writeFile(log(), '')
    const reference = `${registry.address}/os@${digest}`
    imageId = (JSON.parse(await value('pull', '--json', reference)) as Pulled).imageId
  }, 120_000)

  beforeEach(async () => {
    await rm(join(base, 'forget'), { force: true })
  })

  afterAll(async () => {
    await program.close()
    await sysroot.close()
    await registry.close()
    await rm(base, { recursive: true, force: true })
  })

  test('a pulled image is written out before it is marked ready', async () => {
    const made = (await calls()).filter((call) => call === 'copy' || call.startsWith('sync'))
    expect(made).toEqual(['copy', 'sync ready=0'])
    expect((await readLedger(sysroot.store)).images).toMatchObject([{ imageId, readyAt: expect.any(String) }])
  })

  test("another tool's image is written out before the first copy of it", async () => {
    const ledger = await readLedger(sysroot.store)
    const images = ledger.images.map((record) => ({ ...record, readyAt: null }))
    await writeFile(join(sysroot.store, 'ledger.json'), JSON.stringify({ ...ledger, images }, null, 2))
    await writeFile(log(), '')
    await value('create-snapshot', imageId)
    expect((await calls()).filter((call) => call !== 'get-default')).toEqual(['sync ready=0'])
    expect((await readLedger(sysroot.store)).images).toMatchObject([{ readyAt: expect.any(String) }])
  })

  test('switch writes out the data, moves the default, writes that out, and reads it back', async () => {
    await writeFile(log(), '')
    await value('switch', `${imageId}-work1`)
    const made = await calls()
    const from = made.findIndex((call) => call.startsWith('sync'))
    expect(made.slice(from)).toEqual(['sync ready=1', 'set-default', 'sync ready=1', 'get-default'])
  })

  test('switch does not believe a default that did not move', async () => {
    await value('create-snapshot', imageId)
    await writeFile(join(base, 'forget'), '')
    const outcome = await program.run('--sysroot', sysroot.directory, 'switch', `${imageId}-work2`)
    expect(outcome).toMatchObject({ status: 1, stdout: '' })
    expect(outcome.stderr).toContain('the default is subvolume')
  })
})
