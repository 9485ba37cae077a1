import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Context } from '../context.ts'
import { labelFiles } from './labels.ts'

const contexts = `/.*\tsystem_u:object_r:default_t:s0
/\t-d\tsystem_u:object_r:root_t:s0
/usr(/.*)?\tsystem_u:object_r:usr_t:s0
/usr/s?bin(/.*)?\tsystem_u:object_r:bin_t:s0
/usr/lib(/.*)?\tsystem_u:object_r:lib_t:s0
/etc(/.*)?\tsystem_u:object_r:etc_t:s0
/etc/shadow\t--\tsystem_u:object_r:shadow_t:s0
/etc/ssh/ssh_host.*_key\t--\tsystem_u:object_r:sshd_key_t:s0
/home\t-d\tsystem_u:object_r:home_root_t:s0
/var(/.*)?\tsystem_u:object_r:var_t:s0
/etc/alternatives/.*\t-l\tsystem_u:object_r:etc_runtime_t:s0
`

/** The image's own: Debian's program with the libraries it needs. */
async function installSetfiles(root: string): Promise<void> {
  const found = (
    await execa('which', ['setfiles'], { env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } })
  ).stdout
  const libraries = (await execa('ldd', [found])).stdout.matchAll(/(\/\S+) \(0x/g)
  for (const [from, to] of [
    [found, 'usr/sbin/setfiles'],
    ...[...libraries].map(([, path = '']) => [path, path.slice(1)]),
  ] as const) {
    if (from === undefined || to === undefined) continue
    await mkdir(join(root, dirname(to)), { recursive: true })
    await copyFile(from, join(root, to))
    await chmod(join(root, to), 0o755)
  }
}

async function labelOf(path: string): Promise<string> {
  const { stdout } = await execa(
    'getfattr',
    ['--no-dereference', '--absolute-names', '--only-values', '-n', 'security.selinux', path],
    { reject: false },
  )
  return stdout.replace(/\0$/, '')
}

describe('files of an image with an SELinux policy', () => {
  let root: string
  const context = { signal: new AbortController().signal } as Context
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  const config = (mode: string): Promise<void> =>
    write('etc/selinux/config', `# This file\nSELINUX=${mode}\nSELINUXTYPE=default\n`)

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'container-snap-labels-'))
    await installSetfiles(root)
    for (const folder of ['dev', 'proc', 'sys', 'run', 'home/kim', 'var/lib/x'])
      await mkdir(join(root, folder), { recursive: true })
    for (const path of [
      'etc/shadow',
      'etc/shadow-',
      'etc/ssh/ssh_host_rsa_key',
      'usr/lib/os-release',
      'usr/share/a b/c',
      'home/kim/notes',
      'top',
    ])
      await write(path, path)
    await mkdir(join(root, 'etc/alternatives'), { recursive: true })
    await symlink('/usr/bin/vi', join(root, 'etc/alternatives/editor'))
    await write('etc/selinux/default/contexts/files/file_contexts', contexts)
  })
  afterAll(async () => rm(root, { recursive: true, force: true }))

  test('get none where the policy is disabled', async () => {
    await config('disabled')
    await labelFiles(context, root)
    expect(await labelOf(join(root, 'etc/shadow'))).toBe('')
  })

  test('all have the label that matchpathcon says, links and names with blanks among them', async () => {
    await config('enforcing')
    await labelFiles(context, root)
    const file = join(root, 'etc/selinux/default/contexts/files/file_contexts')
    const found: Record<string, string> = {}
    const expected: Record<string, string> = {}
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      const shown = `/${relative(root, path)}`
      if (/^\/(dev|proc|sys|run)$/.test(shown)) continue
      const mode = entry.isDirectory() ? 'dir' : entry.isSymbolicLink() ? 'lnk_file' : 'file'
      found[shown] = await labelOf(path)
      const { stdout } = await execa('matchpathcon', ['-n', '-f', file, '-m', mode, shown], {
        env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      })
      expected[shown] = stdout
    }
    expect(found).toEqual(expected)
    expect(found).toMatchObject({
      '/etc/shadow': 'system_u:object_r:shadow_t:s0',
      '/etc/alternatives/editor': 'system_u:object_r:etc_runtime_t:s0',
      '/home': 'system_u:object_r:home_root_t:s0',
    })
    expect(Object.keys(found).length).toBeGreaterThan(25)
  })

  test('below /etc alone are labelled again where only that was made anew', async () => {
    await write('etc/new.conf', 'new')
    await write('usr/new', 'new')
    await labelFiles(context, root, '/etc')
    expect(await labelOf(join(root, 'etc/new.conf'))).toBe('system_u:object_r:etc_t:s0')
    expect(await labelOf(join(root, 'usr/new'))).toBe('')
  })

  test('are a refusal with what to do where the image cannot label them', async () => {
    await rm(join(root, 'usr/sbin/setfiles'))
    await expect(labelFiles(context, root)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/no setfiles; install policycoreutils in the image/) as string,
    })
  })
})
