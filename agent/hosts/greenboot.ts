import { access, constants, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toAgentError } from '../errors.ts'
import { execute, lastLine } from '../exec.ts'
import type { Command } from '../exec.ts'
import type { CheckResult, HostCheck } from './host-driver.ts'
import type { Machine } from './machine.ts'

const DIRECTORIES = ['/usr/lib/greenboot/check', '/etc/greenboot/check'] as const
const CONFIGURATION = '/etc/greenboot/greenboot.conf'
/** Some wait inside for what they check; the deadline of the plan ends them too. */
const CHECK_TIMEOUT_MS = 10 * 60_000

/** The checks that the image and the host have for greenboot, as greenboot itself would run them. */
export async function greenbootChecks(machine: Machine): Promise<readonly HostCheck[]> {
  const disabled = await disabledChecks(machine.root)
  const places = (['required', 'wanted'] as const).flatMap((kind) =>
    DIRECTORIES.map((directory) => ({ kind, place: join(directory, `${kind}.d`) })),
  )
  const checks: HostCheck[] = []
  for (const { kind, place } of places) {
    const programs = await programsIn(machine.root, place)
    for (const file of programs.filter((name) => !disabled.has(name))) {
      const run = (signal: AbortSignal) => runProgram(machine, { path: join(place, file), kind }, signal)
      checks.push({ name: `greenboot:${file}`, run })
    }
  }
  return checks
}

/** greenboot.conf is sourced by a shell there: `DISABLED_HEALTHCHECKS=("a.sh" "b.sh")`. */
async function disabledChecks(root: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(root, CONFIGURATION), 'utf8').catch(() => '')
  const list = /^\s*DISABLED_HEALTHCHECKS=\(([^)]*)\)/m.exec(text)?.[1] ?? ''
  return new Set(
    [...list.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? ''),
  )
}

/** Shell scripts by their names, anything else when it may be executed; in the order of names. */
async function programsIn(root: string, directory: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
      throw toAgentError('HealthFailed', `reading ${directory}`, error)
    },
  )
  const found: string[] = []
  for (const entry of entries) {
    if (entry.isDirectory()) continue
    const isScript = entry.name.endsWith('.sh')
    if (isScript || (await mayExecute(join(root, directory, entry.name)))) found.push(entry.name)
  }
  return found.toSorted((a, b) => (a < b ? -1 : 1))
}

function mayExecute(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

type Program = { readonly path: string; readonly kind: 'required' | 'wanted' }

async function runProgram(
  machine: Machine,
  { path, kind }: Program,
  signal: AbortSignal,
): Promise<CheckResult> {
  const program: Command = path.endsWith('.sh') ? ['bash', '-C', path] : [path]
  const command: Command = machine.sysroot === null ? program : ['chroot', machine.sysroot, ...program]
  const options = {
    attempt: `running ${path}`,
    signal,
    timeoutMs: CHECK_TIMEOUT_MS,
    leftovers: 'killed',
  } as const
  const { exitCode, stdout, stderr } = await execute(command, options)
  if (exitCode === 0) return { kind: 'passed' }
  const said = lastLine(stderr) || lastLine(stdout)
  const detail = `exit status ${exitCode}${said === '' ? '' : `: ${said}`}`
  return kind === 'wanted' ? { kind: 'noted', detail } : { kind: 'failed', detail, final: false }
}
