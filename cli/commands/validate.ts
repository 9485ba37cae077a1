import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatIssue } from '../../controller/desired-state/issue.ts'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

type File = { readonly path: string; readonly text: string }

const maxFiles = 10_000
const maxFileBytes = 1024 * 1024

/** Paths are shown as typed, so that an editor can jump to them. */
export async function runValidate({ terminal }: Session, dir: string): Promise<ExitStatus> {
  const files = await readYamlFiles(dir)
  const parsed = parseDesiredState(files)
  if (!parsed.ok) {
    for (const issue of parsed.issues) terminal.note(`${formatIssue(issue)}\n\n`)
    terminal.note(`${counted(files.length, 'file')}: ${counted(parsed.issues.length, 'error')}\n`)
    return exitStatus.error
  }
  const fleets = counted(parsed.desiredState.fleets.length, 'fleet')
  terminal.out(`${counted(files.length, 'file')}, ${fleets}: valid\n`)
  return exitStatus.done
}

async function readYamlFiles(dir: string): Promise<File[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch((cause: unknown) => {
    throw new CliError(
      'BadUsage',
      `validate ${dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  })
  const paths = entries
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.split('/').includes('.git'))
    .toSorted()
  if (paths.length > maxFiles)
    throw new CliError('BadUsage', `validate ${dir}: ${paths.length} files, at most ${maxFiles}`)
  const files: File[] = []
  for (const path of paths) {
    const { size } = await stat(path)
    if (size > maxFileBytes)
      throw new CliError('BadUsage', `validate ${path}: ${size} bytes, at most ${maxFileBytes}`)
    files.push({ path, text: await readFile(path, 'utf8') })
  }
  return files
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
