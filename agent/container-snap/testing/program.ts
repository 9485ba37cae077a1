import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { execa } from 'execa'

export type Outcome = { status: number | undefined; stdout: string; stderr: string }

export type Running = { pid: number; kill: (signal: NodeJS.Signals) => boolean; outcome: Promise<Outcome> }

/** container-snap as it is shipped: one bundled file, run as a process. */
export type Program = {
  start: (...args: string[]) => Running
  run: (...args: string[]) => Promise<Outcome>
  /** The trimmed stdout of a call that must succeed. */
  value: (...args: string[]) => Promise<string>
  close: () => Promise<void>
}

/** Bundles one of the program's own files, so that tests can start it without a loader. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  const banner =
    "import { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)"
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

export async function openProgram(env: Readonly<Record<string, string>>): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'container-snap-program-'))
  const file = join(directory, 'container-snap.mjs')
  await bundle('main.ts', file)
  const start = (...args: string[]): Running => {
    const child = execa('node', [file, ...args], {
      env,
      reject: false,
      stdin: 'ignore',
      stripFinalNewline: false,
    })
    const outcome = child.then(({ exitCode, stdout, stderr }) => ({ status: exitCode, stdout, stderr }))
    return { pid: child.pid ?? 0, kill: (signal) => child.kill(signal), outcome }
  }
  const run = async (...args: string[]): Promise<Outcome> => start(...args).outcome
  const value = async (...args: string[]): Promise<string> => {
    const outcome = await run(...args)
    if (outcome.status !== 0)
      throw new Error(`${args.join(' ')}: exit status ${outcome.status}: ${outcome.stderr}`)
    return outcome.stdout.trim()
  }
  return { start, run, value, close: async () => rm(directory, { recursive: true, force: true }) }
}
