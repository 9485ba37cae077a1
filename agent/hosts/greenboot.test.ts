import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { greenbootChecks } from './greenboot.ts'
import type { CheckResult } from './host-driver.ts'
import type { Machine } from './machine.ts'
import { checkUnit } from './unit-check.ts'

const signal = new AbortController().signal

describe("greenboot's directories", () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bootfleet-greenboot-'))
  })

  afterEach(() => rm(root, { recursive: true, force: true }))

  /** The programs run from here, so the machine is this one with its root moved. */
  const machine = (): Machine => ({
    root,
    sysroot: null,
    prepare: async () => {},
    bootId: async () => 'boot',
    reboot: async () => {},
  })

  async function add(path: string, text: string, mode = 0o755): Promise<void> {
    const place = join(root, path)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, text)
    await chmod(place, mode)
  }

  const names = async () => (await greenbootChecks(machine())).map(({ name }) => name)

  it('that are not there ask for nothing', async () => {
    expect(await names()).toEqual([])
  })

  it('are read in their order: required before wanted, the image before the host, by name', async () => {
    await add('etc/greenboot/check/wanted.d/a.sh', '')
    await add('etc/greenboot/check/required.d/b.sh', '', 0o644)
    await add('usr/lib/greenboot/check/required.d/c', '')
    await add('usr/lib/greenboot/check/required.d/a.sh', '', 0o644)
    await add('usr/lib/greenboot/check/required.d/notes.txt', '', 0o644)
    await add('usr/lib/greenboot/check/required.d/folder/x.sh', '')
    expect(await names()).toEqual(['greenboot:a.sh', 'greenboot:c', 'greenboot:b.sh', 'greenboot:a.sh'])
  })

  it('leave out what greenboot.conf disables', async () => {
    for (const name of ['a.sh', 'b.sh', 'c.sh', 'd.sh']) {
      await add(`etc/greenboot/check/required.d/${name}`, '')
    }
    const conf = '# DISABLED_HEALTHCHECKS=("d.sh")\nDISABLED_HEALTHCHECKS=("a.sh" \'b.sh\' c.sh)\n'
    await add('etc/greenboot/greenboot.conf', conf, 0o644)
    expect(await names()).toEqual(['greenboot:d.sh'])
  })
})

describe('a check of greenboot', () => {
  let place: string

  beforeEach(async () => {
    // Run by its path as the machine sees it, which here must be the same with and without the root.
    place = await mkdtemp('/run/bootfleet-greenboot-')
  })

  afterEach(() => rm(place, { recursive: true, force: true }))

  async function runIn(kind: 'required' | 'wanted', text: string): Promise<CheckResult> {
    const directory = join(place, 'root/etc/greenboot/check', `${kind}.d`)
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'x.sh'), text)
    const program = join(place, 'chroot')
    // A stand-in for a root with a shell in it: the words that follow the root, below it.
    await writeFile(program, '#!/bin/sh\nroot=$1; shell=$2; shift 3; exec "$shell" -C "$root$1"\n', {
      mode: 0o755,
    })
    const before = process.env['PATH']
    process.env['PATH'] = `${place}:${before ?? ''}`
    const sysroot = join(place, 'root')
    const machine = {
      root: sysroot,
      sysroot,
      prepare: async () => {},
      bootId: async () => '',
      reboot: async () => {},
    }
    try {
      const [check] = await greenbootChecks(machine)
      if (check === undefined) throw new Error('there is no check')
      return await check.run(signal)
    } finally {
      process.env['PATH'] = before
    }
  }

  it('passes by its exit status', async () => {
    expect(await runIn('required', 'exit 0')).toEqual({ kind: 'passed' })
  })

  it('that is required fails with its last words', async () => {
    expect(await runIn('required', 'echo first\necho "no disk" >&2\nexit 3')).toEqual({
      kind: 'failed',
      detail: 'exit status 3: no disk',
      final: false,
    })
  })

  it('that is only wanted is noted', async () => {
    expect(await runIn('wanted', 'exit 1')).toEqual({ kind: 'noted', detail: 'exit status 1' })
  })

  it('of a unit cannot pass where no service manager runs', async () => {
    const machine = {
      root: place,
      sysroot: place,
      prepare: async () => {},
      bootId: async () => '',
      reboot: async () => {},
    }
    expect(await checkUnit(machine, 'web.service', signal)).toMatchObject({ kind: 'failed', final: true })
  })
})
