import { spawn } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bundle } from '../container-snap/testing/program.ts'
import { openContainerSnapHost } from './container-snap.ts'
import type { HostDriver } from './host-driver.ts'
import { realMachine } from './real-machine.ts'

const signal = new AbortController().signal

describe('the container-snap program, as the agent calls it', () => {
  let directory: string
  let command: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bootfleet-driver-'))
    command = join(directory, 'container-snap')
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  const open = (program: string): HostDriver =>
    openContainerSnapHost({ command: program, machine: realMachine(), env: {} })
  const program = (text: string): Promise<void> => writeFile(command, `#!/bin/sh\n${text}\n`, { mode: 0o755 })

  it('ends with an agent that was killed', async () => {
    const [module, pidFile] = [join(directory, 'driver.mjs'), join(directory, 'pid')]
    await bundle('../hosts/container-snap.ts', module)
    await program(`echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`)
    const script = `const { openContainerSnapHost } = await import(${JSON.stringify(module)})
      const machine = { root: '/', sysroot: null, bootId: async () => '' }
      const host = openContainerSnapHost({ command: ${JSON.stringify(command)}, machine, env: {} })
      await host.activate('x', new AbortController().signal)`
    const agent = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' })
    await vi.waitFor(() => access(pidFile), 90_000)
    const pid = (await readFile(pidFile, 'utf8')).trim()
    agent.kill('SIGKILL')
    await vi.waitFor(() => expect(access(`/proc/${pid}`)).rejects.toThrow('ENOENT'), 90_000)
  })

  it('that is missing is told by its name', async () => {
    await expect(open(command).inspect(signal)).rejects.toMatchObject({
      code: 'ExecMissing',
      message: expect.stringContaining(command) as string,
    })
  })

  it('that finds no space is asked once more when something could be freed', async () => {
    const log = join(directory, 'calls')
    const gone = '{"removed":[{"kind":"image","id":"x","reason":"nobody needs it"}]}'
    await program(
      `echo $1 >> ${log}; test $1 = gc && echo '${gone}' && exit 0
       test $(grep -c deploy ${log}) -gt 1 && echo '{"id":"y","manifestDigest":"sha256:0","conflicts":[]}' && exit 0; exit 8`,
    )
    const image = { repository: 'r.example/os', digest: 'sha256:0', manifestDigest: 'sha256:0', version: '1' }
    await expect(open(command).stage({ image, kernelArguments: [] }, signal)).resolves.toMatchObject({
      deploymentId: 'y',
    })
    expect((await readFile(log, 'utf8')).split('\n')).toEqual(['deploy', 'gc', 'deploy', ''])
    await program(`echo $1 >> ${log}; test $1 = gc && echo '{"removed":[]}' && exit 0; exit 8`)
    await expect(open(command).stage({ image, kernelArguments: [] }, signal)).rejects.toMatchObject({
      code: 'NoSpace',
    })
    expect((await readFile(log, 'utf8')).split('\n').slice(3)).toEqual(['deploy', 'gc', ''])
  })

  it('that deploys another manifest than the plan names is not believed', async () => {
    await program(`echo '{"id":"y","manifestDigest":"sha256:1","conflicts":[]}'`)
    const image = { repository: 'r.example/os', digest: 'sha256:i', manifestDigest: 'sha256:0', version: '1' }
    await expect(open(command).stage({ image, kernelArguments: [] }, signal)).rejects.toMatchObject({
      code: 'ImageRefused',
      message: expect.stringContaining(
        'y is made of manifest sha256:1, and the plan names sha256:0',
      ) as string,
    })
  })

  it('says what its boot loader does, and not that nobody knows where it cannot be read', async () => {
    const status = { current: null, default: null, activated: null, deployments: [], kernelLine: null }
    const read = async (told: object) => {
      await program(`echo '${JSON.stringify({ ...status, ...told })}'`)
      return open(command).loaderFacts(signal)
    }
    for (const guard of ['counted', 'uncounted', null])
      expect(await read({ loader: 'grub', guard })).toEqual({ kernelLine: null, guard })
    expect(await read({})).toEqual({ kernelLine: null, guard: null })
    const kernelLine = [{ argument: 'quiet', source: 'image' }]
    expect(await read({ loader: 'grub', kernelLine })).toMatchObject({ kernelLine })
    // It takes no arguments from a plan.
    expect(await read({ loader: 'tukit-grub2', kernelLine })).toMatchObject({ kernelLine: 'NotOurs' })
    await program('exit 1')
    await expect(open(command).loaderFacts(signal)).rejects.toMatchObject({ code: 'InspectFailed' })
  })

  it('tells what changed in /etc, whole names and as many as a report has room for', async () => {
    const changes = (names: readonly string[]) => names.map((path) => ({ path, kind: 'added' }))
    const said = (names: readonly string[]) =>
      writeFile(join(directory, 'said'), JSON.stringify({ changes: changes(names) }))
    await program(`test "$*" = 'etc-diff --json' && cat ${join(directory, 'said')}`)
    const few = ['hosts', 'ssh/sshd_config.d/10-local.conf']
    await said(few)
    const read = () => open(command).etcChanges(signal)
    await expect(read()).resolves.toEqual({ kind: 'known', changes: changes(few), more: 0 })
    await said([])
    await expect(read()).resolves.toEqual({ kind: 'known', changes: [], more: 0 })
    const many = Array.from({ length: 1_000 }, (_, index) => `conf.d/${String(index).padStart(4, '0')}`)
    await said(many)
    await expect(read()).resolves.toEqual({
      kind: 'known',
      changes: changes(many.slice(0, 128)),
      more: 872,
    })
    const long = many.map((name) => `${name}${'語'.repeat(100)}`)
    await said(long)
    const cut = await read()
    if (cut.kind === 'unknown') throw new Error(cut.problem)
    expect(Buffer.byteLength(JSON.stringify(cut.changes))).toBeLessThanOrEqual(8 * 1024)
    expect(cut.changes).toEqual(changes(long.slice(0, cut.changes.length)))
    expect(cut.changes.length + cut.more).toBe(1_000)
    expect(cut.changes.length).toBeGreaterThan(20)
  })

  it('says why what changed in /etc cannot be told', async () => {
    await program('echo "container-snap: compare /etc: what runs is no deployment" >&2; exit 4')
    await expect(open(command).etcChanges(signal)).resolves.toEqual({
      kind: 'unknown',
      problem: 'comparing /etc with its image: container-snap: compare /etc: what runs is no deployment',
    })
    await program('echo no JSON')
    await expect(open(command).etcChanges(signal)).resolves.toEqual({
      kind: 'unknown',
      problem: 'comparing /etc with its image: the program did not say what differs',
    })
  })

  it('that finds no space left is told apart from one that failed', async () => {
    await program('echo "container-snap: create snapshot of x: no space left on device" >&2; exit 8')
    await expect(open(command).activate('x', signal)).rejects.toMatchObject({
      code: 'NoSpace',
      message: expect.stringContaining('no space left on device') as string,
    })
    await program('exit 1')
    await expect(open(command).activate('x', signal)).rejects.toMatchObject({ code: 'ActivateFailed' })
  })
})
