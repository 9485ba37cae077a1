import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyPrograms } from '../testing/inside-programs.ts'
import type { Outcome, Program } from '../testing/program.ts'
import { openProgram } from '../testing/program.ts'
import type { Registry } from '../testing/registry.ts'
import { openRegistry, systemTree } from '../testing/registry.ts'
import type { Sysroot } from '../testing/sysroot.ts'
import { openSysroot } from '../testing/sysroot.ts'

describe('the loader that machine.json names', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  let image = ''
  let old = ''
  const snap = async (...args: string[]): Promise<Outcome> =>
    program.run('--sysroot', sysroot.directory, ...args)
  const value = async (...args: string[]): Promise<string> =>
    program.value('--sysroot', sysroot.directory, ...args)
  const configure = async (loader: object): Promise<void> =>
    writeFile(
      join(sysroot.store, 'machine.json'),
      JSON.stringify({ version: 1, loader, kernelArguments: ['panic=5'] }),
    )

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    sysroot = await openSysroot()
    const kernel = { 'boot/vmlinuz-6.12': 'kernel', 'boot/initrd.img-6.12': 'initrd' }
    const folders = { 'dev/': '', 'proc/': '', 'sys/': '', 'run/': '' }
    await registry.push('os:1', [{ ...systemTree('1'), ...kernel, ...folders }])
    image = await value('pull', '--quiet', `${registry.address}/os:1`)
    old = await value('create-snapshot', image)
    await value('switch', old)
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
  })

  test('systemd-boot: what the entry says of its root can be mounted, and is the deployment', async () => {
    await configure({ kind: 'systemd-boot', esp: '/efi', tries: 2 })
    const copy = await value('create-snapshot', image)
    const refused = await snap('switch', copy)
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain(
      `open the EFI system partition ${sysroot.directory}/efi: no EFI and no loader folder`,
    )
    expect(await value('get-default')).toBe(old)

    await mkdir(join(sysroot.directory, 'efi/EFI'), { recursive: true })
    await value('switch', copy)
    const [file] = await readdir(join(sysroot.directory, 'efi/loader/entries'))
    expect(file).toBe(`bootfleet-${image.slice(0, 12)}-2+2-0.conf`)
    const text = await readFile(join(sysroot.directory, 'efi/loader/entries', file ?? ''), 'utf8')
    const [, uuid, flags] = /^options root=UUID=(\S+) rootflags=(\S+) rw panic=5$/m.exec(text) ?? []
    const device = (await execa('findmnt', ['-no', 'SOURCE', '--target', sysroot.store])).stdout.replace(
      /\[.*/,
      '',
    )
    expect((await execa('blkid', ['-p', '-o', 'value', '-s', 'UUID', device])).stdout).toBe(uuid)
    const mounted = await mkdtemp(join(tmpdir(), 'container-snap-entry-'))
    await execa('mount', ['-o', flags ?? '', device, mounted])
    try {
      await writeFile(join(await value('get-root', copy), 'etc/mark'), copy)
      expect(await readFile(join(mounted, 'etc/mark'), 'utf8')).toBe(copy)
    } finally {
      await execa('umount', [mounted])
      await rm(mounted, { recursive: true })
    }
    await configure({ kind: 'none' })
    await value('switch', old)
  })

  test('tukit-grub2: the default changes after all of the steps, and after none that failed', async () => {
    await configure({ kind: 'tukit-grub2' })
    const copy = await value('create-snapshot', image)
    const root = await value('get-root', copy)
    await copyPrograms(root, ['sh'])
    const standIn = async (name: string, status: number): Promise<void> => {
      const file = join(root, 'usr/bin', name)
      await writeFile(file, `#!/usr/bin/sh\necho "${name}" >> /calls\nexit ${status}\n`)
      await chmod(file, 0o755)
    }
    const steps = ['zypper', 'dracut', 'grub2-mkconfig', 'pbl']
    for (const step of steps) await standIn(step, 0)
    const calls = async (): Promise<string[]> =>
      (await readFile(join(root, 'calls'), 'utf8')).trim().split('\n')
    for (const [index, step] of steps.entries()) {
      await standIn(step, 1)
      await rm(join(root, 'calls'), { force: true })
      expect((await snap('switch', copy)).stderr).toContain(`run ${step}`)
      expect(await value('get-default')).toBe(old)
      expect((await calls()).at(-1)).toBe(step)
      // What was staged stays so: then only the last step is left.
      expect((await calls()).length).toBe(index + 1)
      await standIn(step, 0)
    }
    await value('switch', copy)
    expect(await value('get-default')).toBe(copy)
  })
})
