import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { execa } from 'execa'

export type Outcome = { status: number | undefined; stdout: string; stderr: string }

export type Running = {
  pid: number
  kill: (signal: NodeJS.Signals) => boolean
  /** What it has written on stdout until now. */
  said: () => string
  outcome: Promise<Outcome>
}

/** container-snap as it is shipped: one bundled file, run as a process. */
export type Program = {
  start: (...args: string[]) => Running
  run: (...args: string[]) => Promise<Outcome>
  /** The trimmed stdout of a call that must succeed. */
  value: (...args: string[]) => Promise<string>
  /** The same program with more in its environment. */
  under: (more: Readonly<Record<string, string>>) => Omit<Program, 'close'>
  close: () => Promise<void>
}

/** Bundles one of the program's own files, so that tests can start it without a loader. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  const banner =
    "#!/usr/bin/env node\nimport { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)"
  await build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    banner: { js: banner },
    logLevel: 'error',
  })
}

/** `failpoints`: as `testing/failpoint-main.ts` describes. Returns the path of the program. */
export async function bundleProgram(path: string, kind: 'plain' | 'failpoints'): Promise<string> {
  const file = `${path}.mjs`
  await bundle(kind === 'plain' ? 'main.ts' : 'testing/failpoint-main.ts', file)
  await chmod(file, 0o755)
  return file
}

export async function openProgram(
  env: Readonly<Record<string, string>>,
  kind: 'plain' | 'failpoints' = 'plain',
): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'container-snap-program-'))
  const file = await bundleProgram(join(directory, 'container-snap'), kind)
  return { ...programOf(file, env), close: async () => rm(directory, { recursive: true, force: true }) }
}

function programOf(file: string, env: Readonly<Record<string, string>>): Omit<Program, 'close'> {
  const start = (...args: string[]): Running => {
    const child = execa('node', [file, ...args], {
      env,
      reject: false,
      stdin: 'ignore',
      stripFinalNewline: false,
    })
    let stdoutSoFar = ''
    child.stdout.on('data', (text: Buffer) => (stdoutSoFar += text.toString()))
    const outcome = child.then(({ exitCode, stdout, stderr }) => ({ status: exitCode, stdout, stderr }))
    return { pid: child.pid ?? 0, kill: (signal) => child.kill(signal), said: () => stdoutSoFar, outcome }
  }
  const run = async (...args: string[]): Promise<Outcome> => start(...args).outcome
  const value = async (...args: string[]): Promise<string> => {
    const outcome = await run(...args)
    if (outcome.status !== 0)
      throw new Error(`${args.join(' ')}: exit status ${outcome.status}: ${outcome.stderr}`)
    return outcome.stdout.trim()
  }
  return { start, run, value, under: (more) => programOf(file, { ...env, ...more }) }
}
