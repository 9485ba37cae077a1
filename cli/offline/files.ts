import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatIssue } from '../../controller/desired-state/issue.ts'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'
import { isPermitFile } from '../../controller/desired-state/permits.ts'
import { isAllowRemoval } from '../../controller/desired-state/removal.ts'
import type { DesiredState, SourceFile } from '../../controller/desired-state/types.ts'
import { CliError } from '../errors.ts'
import type { Terminal } from '../terminal.ts'

const maxFiles = 10_000
const maxFileBytes = 1024 * 1024

/** Paths are shown as typed, so that an editor can jump to them. */
export async function readSourceFiles(verb: string, dir: string): Promise<readonly SourceFile[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch((cause: unknown) => {
    throw new CliError('BadUsage', `${verb} ${dir}: ${unread(cause)}`, { cause })
  })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /\.(?:ya?ml|pub)$/.test(path) || isAllowRemoval(path) || isPermitFile(path))
    .filter((path) => !path.split('/').includes('.git'))
    .toSorted()
  if (paths.length > maxFiles)
    throw new CliError('BadUsage', `${verb} ${dir}: ${paths.length} files, at most ${maxFiles}`)
  // As paths are shown, what begins each of them.
  const root = join(dir, '_').slice(0, -1)
  const files: SourceFile[] = []
  for (const path of paths) {
    const { size } = await stat(path)
    if (size > maxFileBytes)
      throw new CliError('BadUsage', `${verb} ${path}: ${size} bytes, at most ${maxFileBytes}`)
    files.push({ path, text: await readFile(path, 'utf8'), root })
  }
  return files
}

function unread(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such directory; name the one with the YAML files'
  if (code === 'ENOTDIR') return 'it is no directory; name the one that it is in'
  return cause instanceof Error ? cause.message : String(cause)
}

/** Null: what is wrong with it was told as a compiler does. */
export async function readDesiredState(
  terminal: Terminal,
  verb: string,
  dir: string,
): Promise<DesiredState | null> {
  const parsed = parseDesiredState(await readSourceFiles(verb, dir))
  if (parsed.ok) return parsed.desiredState
  for (const issue of parsed.issues) terminal.note(`${formatIssue(issue)}\n\n`)
  return null
}
