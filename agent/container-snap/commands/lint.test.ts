import { chmod, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Program } from '../testing/program.ts'
import { openProgram } from '../testing/program.ts'
import type { Registry } from '../testing/registry.ts'
import { openRegistry, systemTree } from '../testing/registry.ts'
import type { Sysroot } from '../testing/sysroot.ts'
import { openSysroot } from '../testing/sysroot.ts'
import { soundSystem, unpackTree } from '../testing/system-tree.ts'

type Printed = {
  profile: string
  ok: boolean
  findings: { rule: string; severity: string; message: string }[]
}

describe('lint of a folder, as where an image is built', () => {
  let program: Program
  let empty: string
  beforeAll(async () => {
    program = await openProgram({})
    empty = await mkdtemp(join(tmpdir(), 'container-snap-nowhere-'))
  })
  afterAll(async () => {
    await program.close()
    await rm(empty, { recursive: true, force: true })
  })

  test('needs no store, makes none, and status 0 says that the image is sound', async () => {
    const { root, close } = await unpackTree(soundSystem)
    const { status, stdout, stderr } = await program.run('--sysroot', empty, 'lint', root)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toBe(`${root}: 0 errors, 0 warnings (systemd-boot)\n`)
    expect(await readdir(empty)).toEqual([])
    await close()
  })

  test('warnings alone are status 0, an error is status 4 with the findings on stdout', async () => {
    const { root, close } = await unpackTree({ ...soundSystem, 'usr/lib/os-release': 'ID=debian\n' })
    const warned = await program.run('lint', '--sysroot', empty, root)
    expect(warned).toMatchObject({ status: 0, stderr: '' })
    expect(warned.stdout).toMatch(/^warning os-version: .*\n\S+: 0 errors, 1 warning \(systemd-boot\)\n$/)
    await chmod(join(root, 'usr/bin/container-snap'), 0o644)
    const refused = await program.run('--sysroot', empty, 'lint', root)
    expect(refused.status).toBe(4)
    expect(refused.stdout).toMatch(/^error container-snap: no program at .*\nwarning os-version: .*\n.*\n$/)
    expect(refused.stderr).toMatch(/^container-snap: lint \S+: 1 error; [^\n]*\n$/)
    const json = await program.run('--sysroot', empty, 'lint', root, '--json', '--profile', 'tukit-grub2')
    expect(json.status).toBe(4)
    const printed = JSON.parse(json.stdout) as Printed
    expect(printed).toMatchObject({ profile: 'tukit-grub2', ok: false })
    expect(printed.findings.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['container-snap', 'error'],
      ['os-version', 'warning'],
    ])
    await close()
  })

  test('a folder that is not there, a profile that nobody knows and no argument are told apart', async () => {
    const lint = (...args: string[]): ReturnType<Program['run']> =>
      program.run('--sysroot', empty, 'lint', ...args)
    expect(await lint('./nowhere')).toMatchObject({ status: 3, stdout: '' })
    expect(await lint('--profile', 'lilo', '/')).toMatchObject({ status: 2, stdout: '' })
    expect(await lint()).toMatchObject({ status: 2, stdout: '' })
  })

  test('--list says what is checked, for one profile or for all', async () => {
    const all = await program.value('--sysroot', empty, 'lint', '--list')
    expect(all).toContain('rsync: rsync is installed: tukit calls it (tukit-grub2 error)\n')
    const ours = JSON.parse(await program.value('lint', '--list', '--json', '--profile=systemd-boot')) as {
      id: string
    }[]
    expect(ours.map((rule) => rule.id)).not.toContain('rsync')
    expect(ours.map((rule) => rule.id)).toContain('boot-loader')
  })
})

describe('lint of an image in a store', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  const lint = async (...args: string[]): Promise<Printed> => {
    const { status, stdout } = await program.run('--sysroot', sysroot.directory, 'lint', '--json', ...args)
    expect(status).toBe(4)
    return JSON.parse(stdout) as Printed
  }

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    sysroot = await openSysroot()
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
  })

  test('finds it by id, by digest and by the name it was pulled by, and a copy by its id', async () => {
    const value = (...args: string[]): Promise<string> =>
      program.value('--sysroot', sysroot.directory, ...args)
    const digest = await registry.push('os:1', [systemTree('1'), { 'etc/ssh/ssh_host_rsa_key': 'key' }])
    const name = `${registry.address}/os:1`
    const image = await value('pull', '--quiet', name)
    const byId = await lint(image)
    expect(byId).toMatchObject({ ok: false, profile: 'systemd-boot' })
    expect(byId.findings.map((finding) => finding.rule)).toContain('ssh-host-keys')
    for (const other of [digest, name, `docker://${name}`, `${registry.address}/os@${digest}`]) {
      expect(await lint(other)).toEqual(byId)
    }
    const copy = await value('create-snapshot', image)
    await rm(`${await value('get-root', copy)}etc/ssh/ssh_host_rsa_key`)
    expect((await lint(copy)).findings.map((finding) => finding.rule)).not.toContain('ssh-host-keys')
  })

  test('takes the profile from the machine’s own loader', async () => {
    const machine = { version: 1, loader: { kind: 'tukit-grub2' }, kernelArguments: [] }
    await mkdir(sysroot.store, { recursive: true })
    await writeFile(join(sysroot.store, 'machine.json'), JSON.stringify(machine))
    expect((await lint(`${registry.address}/os:1`)).profile).toBe('tukit-grub2')
  })

  test('fetches one that is nowhere here, for as long as it looks, where it is asked to', async () => {
    const name = `${registry.address}/os:1`
    const here = await lint(name)
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-laptop-'))
    const laptop = program.under({ TMPDIR: folder })
    try {
      const profile = ['--profile', 'tukit-grub2']
      const found = await laptop.run('--sysroot', folder, 'lint', '--json', '--fetch', ...profile, name)
      expect([found.status, JSON.parse(found.stdout)]).toEqual([4, here])
      const gone = await laptop.run('--sysroot', folder, 'lint', '--fetch', `${registry.address}/os:gone`)
      expect(gone.stderr).toContain('os:gone')
      expect(await readdir(folder)).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }, 120_000)

  test('asks for a larger TMPDIR where it is too small to unpack there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-laptop-'))
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=32M', 'tmpfs', folder])
    try {
      const small = program.under({ TMPDIR: folder })
      const { status, stderr } = await small.run(
        '--sysroot',
        folder,
        'lint',
        '--fetch',
        `${registry.address}/os:1`,
      )
      expect([status, stderr]).toEqual([
        8,
        expect.stringMatching(/^\S+: lint .*os:1: 31M are free in .*name a larger folder in TMPDIR\n$/),
      ])
      expect(await readdir(folder)).toEqual([])
    } finally {
      await execa('umount', [folder])
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('takes away what a run left behind that was killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-laptop-'))
    const left = join(folder, 'container-snap-look-killed')
    const foreign = join(folder, 'container-snap-look-without-owner')
    await mkdir(join(left, 'root'), { recursive: true })
    await mkdir(foreign)
    await writeFile(join(left, 'owner'), '1 0')
    await writeFile(join(left, 'store.raw'), '')
    await truncate(join(left, 'store.raw'), 128 * 1024 ** 2)
    await execa('mkfs.btrfs', ['--quiet', join(left, 'store.raw')])
    await execa('mount', ['-o', 'loop', join(left, 'store.raw'), join(left, 'root')])
    try {
      const laptop = program.under({ TMPDIR: folder })
      await laptop.run('--sysroot', folder, 'lint', '--fetch', `${registry.address}/os:gone`)
      expect(await readdir(folder)).toEqual(['container-snap-look-without-owner'])
      expect((await execa('losetup', ['--list'])).stdout).not.toContain(left)
    } finally {
      await execa('umount', [join(left, 'root')]).catch(() => {})
      await rm(folder, { recursive: true, force: true })
    }
  }, 60_000)

  test('an image that is not here is status 3', async () => {
    const outcome = await program.run('--sysroot', sysroot.directory, 'lint', 'quay.io/example/os:9')
    expect(outcome).toMatchObject({ status: 3, stdout: '' })
    expect(outcome.stderr).toMatch(/this image is not here; pull it first\n$/)
  })
})
