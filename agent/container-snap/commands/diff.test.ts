import { chmod, chown, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDpkg, parseRpm } from '../diff/packages.ts'
import type { Program } from '../testing/program.ts'
import { openProgram } from '../testing/program.ts'
import type { Registry } from '../testing/registry.ts'
import { openRegistry, systemTree } from '../testing/registry.ts'
import type { Sysroot } from '../testing/sysroot.ts'
import { openSysroot } from '../testing/sysroot.ts'

function stanza(name: string, version: string, state = 'install ok installed'): string {
  return `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\nVersion: ${version}\nDescription: a\n b\n`
}

function system(version: string, ...packages: string[]): Readonly<Record<string, string>> {
  const files = { 'usr/share/same': 'same', 'usr/share/length': `v${version}`, 'var/cache/x': version }
  return { ...systemTree(version), ...files, 'var/lib/dpkg/status': packages.join('\n') }
}

describe('diff', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  let one = ''
  let two = ''
  const value = (...args: string[]): Promise<string> => program.value('--sysroot', sysroot.directory, ...args)

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    sysroot = await openSysroot()
    const old = [stanza('bash', '5.1'), stanza('left', '1', 'deinstall ok config-files'), stanza('gone', '2')]
    await registry.push('os:1', [system('1', ...old), { 'usr/share/only-1': '' }])
    await registry.push('os:2', [system('2', stanza('bash', '5.2'), stanza('new', '3'))])
    one = await value('pull', '--quiet', `${registry.address}/os:1`)
    two = await value('pull', '--quiet', `${registry.address}/os:2`)
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
  })

  test('of two images shows packages first, then every file, and nothing of /var', async () => {
    expect(await value('diff', one, two)).toBe(
      [
        '~ bash 5.1 → 5.2',
        '- gone 2',
        '+ new 3',
        '~ /etc/os-release  content',
        '~ /usr/bin/tool  content',
        '~ /usr/share/length  content',
        '- /usr/share/only-1',
      ].join('\n'),
    )
  })

  test('fetches images that are nowhere here, and keeps nothing, where it is asked to', async () => {
    const here = await value('diff', one, two)
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-laptop-'))
    const laptop = program.under({ TMPDIR: folder })
    const names = [`${registry.address}/os:1`, `${registry.address}/os:2`]
    try {
      expect(await laptop.value('--sysroot', folder, 'diff', '--fetch', ...names)).toBe(here)
      expect(await readdir(folder)).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }, 120_000)

  test('of an image and an untouched copy of it is empty', async () => {
    expect(await value('diff', one, await value('create-snapshot', one))).toBe('')
  })

  test('tells owner, mode, form, target and size, and shows any name on one line', async () => {
    const copy = await value('create-snapshot', one)
    const root = await value('get-root', copy)
    await chmod(`${root}usr/share/same`, 0o4755)
    await chown(`${root}usr/bin/tool`, 7, 8)
    await rm(`${root}usr/share/length`)
    await symlink('same', `${root}usr/share/length`)
    await writeFile(`${root}usr/share/only-1`, 'longer')
    await writeFile(`${root}usr/two\nlines`, '')
    const result = JSON.parse(await value('diff', '--json', one, copy)) as unknown
    expect(result).toEqual({
      from: one,
      to: copy,
      packages: { kind: 'compared', manager: 'dpkg', changes: [] },
      files: [
        { path: '/usr/bin/tool', kind: 'changed', what: ['owner 0:0 → 7:8'] },
        { path: '/usr/share/length', kind: 'changed', what: ['file → link'] },
        { path: '/usr/share/only-1', kind: 'changed', what: ['content, 0 → 6 bytes'] },
        { path: '/usr/share/same', kind: 'changed', what: ['mode 0644 → 04755'] },
        { path: String.raw`/usr/two\nlines`, kind: 'added', what: [] },
      ],
    })
  })

  test('of a snapshot that is not there fails with status 3', async () => {
    const outcome = await program.run('--sysroot', sysroot.directory, 'diff', one, 'f'.repeat(64))
    expect(outcome).toMatchObject({ status: 3, stdout: '' })
  })
})

describe('package databases', () => {
  test('a name of several architectures is one entry each, and a stanza without a state counts', () => {
    const text = [stanza('c', '1'), stanza('c', '2').replace('amd64', 'i386'), 'Package: d\nVersion: 3'].join(
      '\n',
    )
    expect([...parseDpkg(text)]).toEqual([
      ['c:amd64', '1'],
      ['c:i386', '2'],
      ['d', '3'],
    ])
  })

  test('several versions of one rpm are listed together', () => {
    expect([...parseRpm('kernel\t6.2-1\nbash\t5-1\nkernel\t6.1-1\n')]).toEqual([
      ['bash', '5-1'],
      ['kernel', '6.1-1, 6.2-1'],
    ])
  })
})
