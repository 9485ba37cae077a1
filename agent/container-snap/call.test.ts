import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMounts } from './store/mounts.ts'
import { copyPrograms } from './testing/inside-programs.ts'
import type { Program } from './testing/program.ts'
import { bundleProgram, openProgram } from './testing/program.ts'
import type { Registry } from './testing/registry.ts'
import { openRegistry, systemTree } from './testing/registry.ts'
import { eventually } from './testing/stage.ts'
import type { Sysroot } from './testing/sysroot.ts'
import { openSysroot } from './testing/sysroot.ts'

type Ended = { status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

describe('call', () => {
  let registry: Registry
  let program: Program
  let sysroot: Sysroot
  let directory = ''
  let file = ''
  let image = ''
  let copy = ''
  let root = ''
  const at = (...args: string[]): string[] => ['--sysroot', sysroot.directory, ...args]
  const begin = (...args: string[]): ReturnType<typeof spawn> => spawn('node', [file, ...at(...args)])
  const ended = async (child: ReturnType<typeof spawn>): Promise<Ended> => {
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => (texts[name] += chunk.toString()))
    }
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return { status, signal, ...texts }
  }
  const call = async (...args: string[]): Promise<Ended> => ended(begin('call', copy, '--', ...args))
  const expectNothingMounted = async (): Promise<void> => {
    const mounts = (await readMounts()).map((mount) => mount.mountPoint)
    expect(mounts.filter((path) => path.startsWith(root.slice(0, -1)))).toEqual([])
  }
  /** Gone, or dead and only not yet waited for. */
  const isGone = async (pid: string): Promise<boolean> =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) === ''

  beforeAll(async () => {
    registry = await openRegistry()
    program = await openProgram({ CONTAINERS_REGISTRIES_CONF: registry.registriesConf })
    directory = await mkdtemp(join(tmpdir(), 'container-snap-call-'))
    file = await bundleProgram(join(directory, 'container-snap'), 'plain')
    sysroot = await openSysroot()
    const folders = { 'dev/': '', 'proc/': '', 'sys/': '', 'run/': '', 'etc/resolv.conf': 'empty\n' }
    await registry.push('os:1', [{ ...systemTree('1'), ...folders }])
    image = await program.value(...at('pull', '--quiet', `${registry.address}/os:1`))
    copy = await program.value(...at('create-snapshot', image))
    root = await program.value(...at('get-root', copy))
    await copyPrograms(root, ['sh', 'cat', 'sleep', 'env'])
  })
  afterAll(async () => {
    await sysroot.close()
    await program.close()
    await registry.close()
    await rm(directory, { recursive: true, force: true })
  })

  test("hands stdin, stdout, stderr and the exit status through, and the command's own options untouched", async () => {
    const child = begin(
      'call',
      copy,
      '--',
      'sh',
      '-c',
      'cat; echo "$@" >&2; exit 42',
      'sh',
      '--json',
      '--',
      '-v',
    )
    child.stdin?.end('from outside\n')
    expect(await ended(child)).toEqual({
      status: 42,
      signal: null,
      stdout: 'from outside\n',
      stderr: '--json -- -v\n',
    })
  })

  test('runs in the copy, at its root', async () => {
    expect(await call('sh', '-c', 'echo "$PWD"; cat etc/os-release; echo changed > etc/note')).toMatchObject({
      status: 0,
      stdout: '/\nID=tiny\nVERSION_ID=1\n',
    })
    expect(await readFile(join(root, 'etc/note'), 'utf8')).toBe('changed\n')
  })

  test("has the running system's /dev, /proc, /sys, /run and name resolution, and leaves none of them", async () => {
    const seen = await call(
      'sh',
      '-c',
      'cat etc/resolv.conf; echo x > dev/null; test -d sys/fs && test -d proc/1',
    )
    expect(seen).toMatchObject({ status: 0, stdout: await readFile('/etc/resolv.conf', 'utf8') })
    expect(await readFile(join(root, 'etc/resolv.conf'), 'utf8')).toBe('empty\n')
    await expect(access(join(root, 'dev/null'))).rejects.toThrow('ENOENT')
    await expectNothingMounted()
  })

  test('what is mounted inside is seen by nobody else while it runs', async () => {
    const child = begin('call', copy, '--', 'sh', '-c', 'echo ready; cat')
    await once(child.stdout ?? child, 'data')
    await expectNothingMounted()
    child.stdin?.end()
    expect(await ended(child)).toMatchObject({ status: 0 })
  })

  test('a command that is not there is status 127', async () => {
    const outcome = await call('no-such-command')
    expect(outcome.status).toBe(127)
    expect(outcome.stderr).toContain('no-such-command')
  })

  test('what the command left running is ended with it', async () => {
    const outcome = await call('sh', '-c', 'sleep 600 >/dev/null 2>&1 </dev/null & echo $!')
    expect(outcome.status).toBe(0)
    expect(outcome.stdout).toMatch(/^\d+\n$/)
    expect(await isGone(outcome.stdout.trim())).toBe(true)
  })

  test('SIGTERM ends it, with its children', async () => {
    const child = begin('call', copy, '--', 'sh', '-c', 'echo ready; sleep 600; true')
    await once(child.stdout ?? child, 'data')
    const outcome = ended(child)
    child.kill('SIGTERM')
    expect(await outcome).toMatchObject({ status: 143 })
    await sysroot.reboot() // fails where anything is open below
  })

  test('kill -9 ends the command too', async () => {
    const child = begin('call', copy, '--', 'sh', '-c', 'echo $$; read line')
    const [pid] = (await once(child.stdout ?? child, 'data')) as [Buffer]
    expect(await isGone(pid.toString().trim())).toBe(false)
    child.kill('SIGKILL')
    await eventually('the command ends', async () => isGone(pid.toString().trim()))
    await eventually('all is free', async () =>
      sysroot.reboot().then(
        () => true,
        () => false,
      ),
    )
  })

  test.each([
    ['no command', () => [copy], 2, /call needs 2 arguments/],
    ['a copy that is not there', () => [`${image}-work9`, 'true'], 3, /no snapshot with id/],
    [
      "an image's own subvolume",
      () => [image, 'true'],
      4,
      /an image's own subvolume, which nothing may change/,
    ],
  ])('%s is refused', async (_name, args, status, message) => {
    const outcome = await ended(begin('call', ...args()))
    expect(outcome).toMatchObject({ status, stdout: '' })
    expect(outcome.stderr).toMatch(message)
  })

  test('a root that is no system, without /dev, is refused', async () => {
    await rename(join(root, 'dev'), join(root, 'dev.away'))
    expect(await call('true')).toMatchObject({ status: 4 })
    await writeFile(join(root, 'dev'), 'a file')
    expect(await call('true')).toMatchObject({ status: 4 })
    await rm(join(root, 'dev'))
    await rename(join(root, 'dev.away'), join(root, 'dev'))
  })

  test('what runs is refused', async () => {
    expect((await program.run(...at('switch', copy))).status).toBe(0)
    await sysroot.reboot()
    const outcome = await call('true')
    expect(outcome).toMatchObject({ status: 4, stdout: '' })
    expect(outcome.stderr).toBe(
      `container-snap: call in ${copy}: it is what runs; run the command as it is, or in a copy\n`,
    )
  })
})
