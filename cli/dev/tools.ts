import { access, constants, realpath } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { CliError } from '../errors.ts'
import type { Terminal } from '../terminal.ts'

export type Tools = {
  /** Folder of the four programs, this one among them. */
  readonly programsDir: string
  readonly natsServer: string
  readonly dockerRegistry: string
  readonly buildah: string
  readonly busybox: string
  /** Why hosts cannot have a real disk here; null when they can. */
  readonly simulatedBecause: string | null
}

type Environment = Terminal['environment']

export async function findProgramsDir(): Promise<string> {
  return dirname(await realpath(process.argv[1] ?? ''))
}

export async function findTools(environment: Environment): Promise<Tools> {
  const programsDir = await findProgramsDir()
  const cached = join(programsDir, '..', '.cache', 'tools')
  return {
    programsDir,
    natsServer: await need(environment, { name: 'nats-server', variable: 'BOOTFLEET_NATS_SERVER', cached }),
    dockerRegistry: await need(environment, {
      name: 'docker-registry',
      variable: 'BOOTFLEET_REGISTRY',
      cached,
    }),
    buildah: await need(environment, { name: 'buildah', variable: 'BOOTFLEET_BUILDAH', cached }),
    busybox: await need(environment, { name: 'busybox', variable: 'BOOTFLEET_BUSYBOX', cached }),
    simulatedBecause: await whySimulated(environment),
  }
}

/** The program of ours that starts as `node PATH`. */
export async function findProgram(tools: Pick<Tools, 'programsDir'>, name: string): Promise<string> {
  const path = join(tools.programsDir, name)
  if (!(await isExecutable(path))) {
    throw new CliError('ToolMissing', `${path} is missing; build the programs first ("node build.mjs")`)
  }
  return path
}

async function need(
  environment: Environment,
  tool: { readonly name: string; readonly variable: string; readonly cached: string },
): Promise<string> {
  const named = environment[tool.variable]
  if (named !== undefined && named !== '') return named
  const cached = join(tool.cached, tool.name)
  if (await isExecutable(cached)) return cached
  const found = await onPath(environment, tool.name)
  if (found !== null) return found
  const hint = 'run scripts/install-tools.sh, or install it'
  throw new CliError(
    'ToolMissing',
    `dev needs ${tool.name}, which is not in ${tool.cached} nor on PATH; ${hint} and set ${tool.variable}`,
  )
}

async function whySimulated(environment: Environment): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'not root: mounting a disk needs root'
  for (const name of ['mkfs.btrfs', 'btrfs', 'losetup', 'mount', 'podman', 'skopeo']) {
    if ((await onPath(environment, name)) === null) return `${name} is missing`
  }
  return null
}

export async function onPath(environment: Environment, name: string): Promise<string | null> {
  const directories = [...(environment['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  for (const directory of directories) {
    if (directory !== '' && (await isExecutable(join(directory, name)))) return join(directory, name)
  }
  return null
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
