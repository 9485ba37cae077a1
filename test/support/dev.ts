import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../dist/bootfleet', import.meta.url))
const containerSnap = fileURLToPath(new URL('../../dist/container-snap', import.meta.url))
const startTimeoutMs = 120_000

export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

export type RunningDev = {
  readonly stateDir: string
  readonly hosts: readonly string[]
  /** What a terminal showed until it was ready, notes first. */
  readonly shown: readonly string[]
  readonly bootfleet: (...args: string[]) => Promise<Ended>
  /** Builds and pushes, and returns `repository@digest`. */
  readonly image: (version: string, ...flags: string[]) => Promise<string>
  /** Commits these files and pushes; returns the commit. */
  readonly commit: (files: Readonly<Record<string, string>>) => Promise<string>
  readonly read: (path: string) => Promise<string>
  /** Digest that each host's own container-snap says is running. */
  readonly runningDigests: () => Promise<readonly string[]>
  /** Where a person has a terminal: the programs on the path, and who they are for git. */
  readonly shell: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }
  readonly kill9: (service: string) => Promise<void>
  readonly stop: () => Promise<number | null>
}

/** `bootfleet dev` as a person starts it, on a state directory of its own. */
export async function startDev(hostCount: number): Promise<RunningDev> {
  const stateDir = await mkdtemp(join(tmpdir(), 'bootfleet-e2e-'))
  const hosts = Array.from({ length: hostCount }, (_, index) => `host-${index + 1}`)
  const env = {
    ...process.env,
    BOOTFLEET_CONTEXT: join(stateDir, 'context.json'),
    XDG_CONFIG_HOME: join(stateDir, 'xdg'),
  }
  const { BOOTFLEET_CONTEXT: _ofOthers, ...devEnv } = env
  const dev = spawn(process.execPath, [program, 'dev', '--hosts', String(hostCount), '--state', stateDir], {
    // As for who has no context yet: the one of this dev becomes the default one.
    env: devEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let out = ''
  // Its last line, so that all of it is there to be compared.
  const isReady = (): boolean => /^ready: [^]*^Ctrl-C stops everything\.$/m.test(out)
  dev.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  dev.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => dev.once('exit', resolve))
  const stop = async (): Promise<number | null> => {
    if (dev.exitCode === null && dev.signalCode === null) dev.kill('SIGTERM')
    const status = await ended
    await rm(stateDir, { recursive: true, force: true })
    return status
  }
  const deadlineMs = performance.now() + startTimeoutMs
  while (!isReady()) {
    if (dev.exitCode !== null || performance.now() > deadlineMs) {
      await stop()
      throw new Error(`dev did not start:\n${said}`)
    }
    await sleep(50)
  }
  const bootfleet = (...args: string[]): Promise<Ended> => run(process.execPath, [program, ...args], { env })
  const git = async (cwd: string, ...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run('git', args, { cwd, env: { ...env, ...gitPerson } })
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }
  return {
    stateDir,
    hosts,
    shown: `${said}${out}`.trimEnd().split('\n'),
    bootfleet,
    image: async (version, ...flags) => (await bootfleet('dev', 'image', version, ...flags)).stdout.trim(),
    commit: async (files) => {
      const clone = await mkdtemp(join(stateDir, 'clone-'))
      await git(clone, 'clone', '--quiet', join(stateDir, 'git/fleet.git'), '.')
      for (const [path, text] of Object.entries(files)) await writeFile(join(clone, path), text)
      await git(clone, 'add', '--all')
      await git(clone, 'commit', '--quiet', '-m', 'change')
      await git(clone, 'push', '--quiet', 'origin', 'HEAD:main')
      return git(clone, 'rev-parse', 'HEAD')
    },
    read: (path) => git(join(stateDir, 'git/fleet.git'), 'show', `main:${path}`).then((text) => `${text}\n`),
    runningDigests: () =>
      Promise.all(
        hosts.map(async (host) => {
          const sysroot = join(stateDir, 'hosts', host, 'sysroot')
          const { stdout } = await run(
            process.execPath,
            [containerSnap, '--sysroot', sysroot, 'status', '--json'],
            { env },
          )
          return (JSON.parse(stdout) as { current: { digest: string } }).current.digest
        }),
      ),
    shell: {
      cwd: stateDir,
      env: { ...env, ...gitPerson, PATH: `${dirname(program)}:${process.env['PATH'] ?? ''}` },
    },
    kill9: (service) => untilKilled(join(stateDir, 'pids', `${service}.json`)),
    stop,
  }
}

/** A host's program ends by itself when it reboots: then the one after it is killed. */
async function untilKilled(pidFile: string): Promise<void> {
  for (const deadlineMs = performance.now() + startTimeoutMs; ; await sleep(20)) {
    try {
      const { pid } = JSON.parse(await readFile(pidFile, 'utf8')) as { pid: number }
      process.kill(pid, 'SIGKILL')
      return
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
    }
  }
}

const gitPerson = {
  GIT_AUTHOR_NAME: 'test',
  GIT_AUTHOR_EMAIL: 'test@bootfleet.invalid',
  GIT_COMMITTER_NAME: 'test',
  GIT_COMMITTER_EMAIL: 'test@bootfleet.invalid',
  GIT_CONFIG_GLOBAL: '/dev/null',
}

function run(
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string },
): Promise<Ended> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, stderr }))
  })
}
