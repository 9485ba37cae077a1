import { access, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Program } from './testing/program.ts'
import { openProgram } from './testing/program.ts'
import type { Registry } from './testing/registry.ts'
import { openRegistry, systemTree } from './testing/registry.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

/** The commands in the exact forms of tukit and the original's scripts, on one machine from first pull to delete. */
describe('the contract', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  let image = ''
  let digest = ''
  const snap = (...args: string[]): ReturnType<Program['run']> =>
    program.run('--sysroot', sysroot.directory, ...args)
  const value = (...args: string[]): Promise<string> => program.value('--sysroot', sysroot.directory, ...args)

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    sysroot = await openSysroot()
    digest = await registry.push('os:1', [systemTree('1'), { 'usr/share/note': 'one' }])
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
  })

  test('init makes the store and prints nothing', async () => {
    expect(await snap('init')).toEqual({ status: 0, stdout: '', stderr: '' })
    await access(join(sysroot.store, 'snapshots'))
    await access(join(sysroot.store, 'runroot'))
  })

  test('an empty store lists nothing, and list-snapshots still has its header', async () => {
    expect(await snap('list-images')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await snap('list-snapshots')).toEqual({ status: 0, stdout: '# snapshot-id,ro\n', stderr: '' })
  })

  test('pull by tag without a transport fetches the image and prints nothing', async () => {
    expect(await snap('pull', `${registry.address}/os:1`)).toEqual({ status: 0, stdout: '', stderr: '' })
    const [id, created, name] = (await value('list-images')).split(',')
    image = id ?? ''
    expect(image).toMatch(/^[0-9a-f]{64}$/)
    expect(created).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})? \+0000 UTC$/)
    expect(name).toBe(`${registry.address}/os:1`)
  })

  test('list-images --json has all names and the digest', async () => {
    const [row] = JSON.parse(await value('list-images', '--json')) as unknown[]
    expect(row).toMatchObject({ id: image, names: [`${registry.address}/os:1`], manifestDigest: digest })
  })

  test('get-root prints the folder of the top layer with a slash at its end', async () => {
    const root = await value('get-root', image)
    expect(root).toMatch(new RegExp(`^${sysroot.store}/snapshots/btrfs/subvolumes/[0-9a-f]{64}/$`))
    expect(await readFile(`${root}usr/share/note`, 'utf8')).toBe('one')
  })

  test('create-snapshot prints the id of a copy that can be written', async () => {
    expect(await snap('create-snapshot', image)).toEqual({
      status: 0,
      stdout: `${image}-work1\n`,
      stderr: '',
    })
    await writeFile(`${await value('get-root', `${image}-work1`)}etc/hostname`, 'tiny')
    await expect(access(`${await value('get-root', image)}etc/hostname`)).rejects.toThrow('ENOENT')
  })

  test('a copy of a copy belongs to the same image', async () => {
    expect(await value('create-snapshot', `${image}-work1`)).toBe(`${image}-work2`)
    expect(await readFile(`${await value('get-root', `${image}-work2`)}etc/hostname`, 'utf8')).toBe('tiny')
  })

  test('set-readonly-state takes its flag before the id, and without a flag makes writable', async () => {
    const id = `${image}-work2`
    expect(await snap('set-readonly-state', '--readonly', id)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect((await snap('get-readonly-state', id)).stdout).toBe('true\n')
    expect(await value('list-snapshots')).toContain(`${id},true`)
    await value('set-readonly-state', '--no-readonly', id)
    expect((await snap('get-readonly-state', id)).stdout).toBe('false\n')
    await value('set-readonly-state', '--readonly', id)
    await value('set-readonly-state', id)
    expect((await snap('get-readonly-state', id)).stdout).toBe('false\n')
  })

  test('list-snapshots has two columns, images and copies', async () => {
    const lines = (await value('list-snapshots')).split('\n')
    expect(lines).toEqual([
      '# snapshot-id,ro',
      `${image},false`,
      `${image}-work1,false`,
      `${image}-work2,false`,
    ])
  })

  test('before the first deployment get-current fails with one line, and --json says null', async () => {
    const outcome = await snap('get-current')
    expect(outcome).toMatchObject({ status: 3, stdout: '' })
    expect(outcome.stderr).toMatch(/^container-snap: the current root of .*\n$/)
    expect(await value('get-current', '--json')).toBe('null')
    expect(JSON.parse(await value('status', '--json'))).toMatchObject({ current: null, default: null })
  })

  test('switch sets what get-default names at once and get-current names after a reboot', async () => {
    expect(await snap('switch', `${image}-work1`)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect((await snap('get-default')).stdout).toBe(`${image}-work1\n`)
    expect((await snap('get-current')).status).toBe(3)
    await sysroot.reboot()
    expect((await snap('get-current')).stdout).toBe(`${image}-work1\n`)
  })

  test('get-current starts no program: who asks often waits for Node alone', async () => {
    const onlyNode = join(sysroot.directory, 'var/only-node')
    await mkdir(onlyNode)
    await symlink(process.execPath, join(onlyNode, 'node'))
    const bare = program.under({ PATH: onlyNode })
    expect(await bare.value('--sysroot', sysroot.directory, 'get-current')).toBe(`${image}-work1`)
    expect((await bare.run('--sysroot', sysroot.directory, 'get-default')).stderr).toContain('btrfs')
    expect(await readFile(join(sysroot.directory, 'etc/hostname'), 'utf8')).toBe('tiny')
  })

  test('status --json tells current, default and every deployment with its digests', async () => {
    await value('switch', `${image}-work2`)
    const status = JSON.parse(await value('status', '--json')) as { deployments: unknown[] }
    const deployment = { imageId: image, digest, manifestDigest: digest, readonly: false }
    expect(status).toMatchObject({
      sysroot: sysroot.directory,
      current: { ...deployment, id: `${image}-work1` },
      default: { ...deployment, id: `${image}-work2` },
    })
    expect(status.deployments).toHaveLength(2)
    expect(status.deployments[0]).toMatchObject({
      subvolumeUuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    })
    expect(await value('status')).toContain(`current  ${image}-work1`)
    await value('switch', `${image}-work1`)
  })

  test('delete --id=ID and --id ID remove copies, delete --url the image of that name', async () => {
    const third = await value('create-snapshot', image)
    expect(await snap('delete', `--id=${image}-work2`)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await snap('delete', '--id', third)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await value('list-snapshots')).not.toMatch(/work[23]/)
    await registry.push('other:1', [systemTree('9')])
    await value('pull', `docker://${registry.address}/other:1`)
    expect(await snap('delete', '--url', `${registry.address}/other:1`)).toMatchObject({
      status: 0,
      stdout: '',
    })
    expect(await value('list-images')).not.toContain('other')
  })

  test('a missing or wrong argument is one line on stderr and status 2', async () => {
    for (const args of [
      ['get-root'],
      ['bogus'],
      ['delete'],
      ['load'],
      ['init', '--cascade'],
      ['list-images', '--nope'],
    ]) {
      const outcome = await snap(...args)
      expect({ args, ...outcome }).toMatchObject({ args, status: 2, stdout: '' })
      expect(outcome.stderr).toMatch(/^container-snap: [^\n]+\n$/)
    }
  })

  test('after every command nothing keeps the machine from being unmounted', async () => {
    const commands = [
      ['init'],
      ['pull', `${registry.address}/os:1`],
      ['list-images'],
      ['list-snapshots'],
      ['create-snapshot', image],
      ['get-root', image],
      ['set-readonly-state', image],
      ['get-readonly-state', image],
      ['switch', `${image}-work1`],
      ['get-default'],
      ['get-current'],
      ['status'],
      ['delete', '--id', `${image}-work2`],
    ]
    for (const command of commands) {
      expect({ command, ...(await snap(...command)) }).toMatchObject({ command, status: 0, stderr: '' })
      await sysroot.reboot()
    }
  })
})
