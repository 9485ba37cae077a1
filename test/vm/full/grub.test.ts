import { mkdtemp, rename, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseEntries } from '../../../agent/container-snap/boot/grub-entries.ts'
import { parseEnv } from '../../../agent/container-snap/boot/grub-env.ts'
import { openGrub } from '../../../agent/container-snap/boot/grub.ts'
import type { BootDeployment, BootEntry, Loader } from '../../../agent/container-snap/boot/loader.ts'
import type { GrubDisk } from '../../support/vm/grub-disk.ts'
import { makeGrubDisk } from '../../support/vm/grub-disk.ts'
import type { FirmwareKind } from '../../support/vm/grub-machine.ts'
import { runMachine } from '../../support/vm/grub-machine.ts'
import type { TinySystem } from '../../support/vm/tiny-system.ts'
import { tinyMark, tinySystem, writeTinyRoot } from '../../support/vm/tiny-system.ts'

/** On a host that has no time for it, the kernel's test of its timer fails. */
const kernelArguments = ['console=ttyS0,115200', 'panic=5', 'mitigations=off', 'loglevel=4', 'no_timer_check']
const ownEntries = "menuentry 'The machine itself' {\n  echo THE MACHINE ITSELF\n  sleep 5\n  halt\n}\n"

/**
 * What the product writes, booted by GRUB itself on both firmwares: Debian's GRUB on a disk as Debian lays it out, with
 * a kernel that only tells how it was started.
 */
describe.each<FirmwareKind>(['bios', 'uefi'])('GRUB on %s', (firmware) => {
  let dir = ''
  let disk: GrubDisk
  let system: TinySystem
  const deployments = new Map<string, BootDeployment>()

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bootfleet-grub-vm-'))
    system = await tinySystem(dir)
    disk = await makeGrubDisk({ path: join(dir, 'disk.img'), rootBytes: 1024 * 1024, ownEntries })
  })
  afterAll(async () => rm(dir, { recursive: true, force: true }))

  const onMachine = async <T>(work: (loader: Loader, boot: string) => Promise<T>): Promise<T> =>
    disk.withBoot(async (boot) =>
      work(
        openGrub(
          { signal: new AbortController().signal },
          {
            bootDirectory: boot,
            configDirectory: join(boot, 'grub'),
            tries: 3,
            unguarded: false,
            rootUuid: '5f0c1d2e-0000-4000-8000-000000000000',
            kernelArguments,
          },
        ),
        boot,
      ),
    )
  /** Its initrd differs from that of the others by what is said of it. */
  const deployment = async (letter: string, then: 'off' | 'panic' | 'reboot'): Promise<BootDeployment> => {
    const root = join(dir, letter)
    const initrd = Buffer.concat([system.initrd, Buffer.alloc(512 * letter.charCodeAt(0))])
    await writeTinyRoot(root, { ...system, initrd }, `It's tiny ${letter}`, [
      `tiny.system=${letter}`,
      `tiny.then=${then}`,
      'tiny.quoted="two words"',
    ])
    const imageId = letter.repeat(64)
    const made = { id: `${imageId}-work1`, imageId, number: 1, root, subvolume: `@var/${letter}` }
    deployments.set(letter, made)
    return made
  }
  /** The kernel's line of each boot until the machine was off. */
  const boots = async (
    until?: () => Promise<boolean>,
  ): Promise<{ system: string; left: string | null }[]> => {
    const own = async (shown: string): Promise<boolean> =>
      shown.includes('THE MACHINE ITSELF\n') || (await until?.()) === true
    const { console } = await runMachine({ dir, disk: disk.path, firmware, until: own })
    const lines = console
      .split('\n')
      .filter((line) => line.includes(tinyMark) || /^\r?THE MACHINE ITSELF/.test(line))
    return lines.map((line) => {
      if (!line.includes('quoted')) return { system: 'own', left: null }
      expect(line).toContain(' "tiny.quoted=two words"')
      const [, name = ''] = /tiny\.system=(\w)/.exec(line) ?? []
      return { system: name, left: /bootfleet\.tries_left=(\d*)/.exec(line)?.[1] ?? null }
    })
  }
  const activate = async (
    letter: string,
    activation: number,
    counted: boolean,
    then: 'off' | 'panic',
  ): Promise<void> => {
    const made = await deployment(letter, then)
    await onMachine(async (loader) => {
      await loader.stage(made)
      await loader.activate(made, { activation, counted })
    })
  }
  const entryOf = async (letter: string): Promise<BootEntry | undefined> =>
    onMachine(async (loader) =>
      (await loader.entries()).find((one) => one.deploymentId === deployments.get(letter)?.id),
    )
  const env = async (): Promise<unknown> => parseEnv(await disk.readBoot('/bootfleet/env'))

  test('a new one that panics is tried three times, then the old one boots', async () => {
    await activate('a', 1, false, 'off')
    await activate('b', 2, true, 'panic')
    // Without the journal, as GRUB reads it, and as a power cut here would have left it.
    expect(parseEntries(await disk.readBoot('/bootfleet/entries.cfg')).torn).toBe(false)
    expect(await env()).toEqual({ tries_2: '3' })
    expect(await boots()).toEqual([
      { system: 'b', left: '2' },
      { system: 'b', left: '1' },
      { system: 'b', left: '0' },
      { system: 'a', left: null },
    ])
    expect(await env()).toEqual({ tries_2: '0' })
    expect(await entryOf('b')).toMatchObject({ kind: 'bad', triesLeft: 0, triesDone: 3, file: 'bootfleet-2' })
  })

  test('a try counts from the moment it is written, whenever the power goes', async () => {
    await activate('c', 3, true, 'off')
    const isCounted = async (): Promise<boolean> =>
      isDeepStrictEqual(await env(), { tries_2: '0', tries_3: '2' })
    expect(await boots(isCounted)).toEqual([])
    expect(await boots()).toEqual([{ system: 'c', left: '1' }])
    expect(await entryOf('c')).toMatchObject({ kind: 'counted', triesLeft: 1, triesDone: 2 })
  })

  test('what was blessed is counted no more', async () => {
    await onMachine(async (loader) => loader.bless(deployments.get('c')!))
    expect(await env()).toEqual({ tries_2: '0' })
    expect(await boots()).toEqual([{ system: 'c', left: null }])
  })

  const fileOfLast = async (kind: 'linux' | 'initrd', boot: string): Promise<string> => {
    const [entry] = parseEntries(await disk.readBoot('/bootfleet/entries.cfg')).entries.toReversed()
    return join(boot, entry?.[kind] ?? '')
  }

  test('an initrd that is gone costs one try, and the last proven one boots at once', async () => {
    await activate('d', 4, true, 'off')
    await onMachine(async (_loader, boot) => rm(await fileOfLast('initrd', boot)))
    expect(await boots()).toEqual([{ system: 'c', left: null }])
    expect(await env()).toEqual({ tries_2: '0', tries_4: '2' })
  })

  test('an initrd that GRUB cannot load uses up all tries, and then the last proven one boots', async () => {
    await activate('e', 5, true, 'off')
    // More than the memory there is.
    await onMachine(async (_loader, boot) => truncate(await fileOfLast('initrd', boot), 8 * 1024 ** 3))
    expect(await boots()).toEqual([{ system: 'c', left: null }])
    expect(await env()).toMatchObject({ tries_5: '0' })
  })

  test('without entries that can be read the machine’s own entry boots', async () => {
    await onMachine(async (_loader, boot) =>
      rename(join(boot, 'bootfleet/entries.cfg'), join(boot, 'bootfleet/entries.away')),
    )
    expect(await boots()).toEqual([{ system: 'own', left: null }])
  })
})
