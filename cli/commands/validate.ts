import { formatIssue } from '../../controller/desired-state/issue.ts'
import { parseDesiredState } from '../../controller/desired-state/parse.ts'
import type { DesiredState } from '../../controller/desired-state/types.ts'
import { readPermit } from '../../proto/permit.ts'
import { readReleaseKey } from '../../proto/release-key.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { readSourceFiles } from '../offline/files.ts'
import type { Session } from '../session.ts'

export async function runValidate({ terminal }: Session, dir: string): Promise<ExitStatus> {
  const files = await readSourceFiles('validate', dir)
  const parsed = parseDesiredState(files)
  if (!parsed.ok) {
    for (const issue of parsed.issues) terminal.note(`${formatIssue(issue)}\n\n`)
    terminal.note(`${counted(files.length, 'file')}: ${counted(parsed.issues.length, 'error')}\n`)
    return exitStatus.error
  }
  const unusable = [...unusableKeys(parsed.desiredState), ...unusablePermits(parsed.desiredState)]
  if (unusable.length > 0) {
    for (const message of unusable) terminal.note(`${message}\n`)
    return exitStatus.error
  }
  const fleets = counted(parsed.desiredState.fleets.length, 'fleet')
  terminal.out(`${counted(files.length, 'file')}, ${fleets}: valid\n`)
  return exitStatus.done
}

/** Only cryptography tells: the controller finds it when it verifies the first image. */
function unusableKeys({ fleets }: DesiredState): readonly string[] {
  return fleets.flatMap(({ declaredAt: { line, path }, name, verify }) =>
    (verify?.keys ?? []).flatMap((key) => {
      const read = key.kind === 'file' ? readReleaseKey(key.path, key.pem) : null
      if (key.kind !== 'file' || read?.kind !== 'refused') return []
      return [`${path}:${line}: fleet ${name}: key ${key.path} cannot be used: ${read.detail}`]
    }),
  )
}

/** Only whether it can be read: whose signatures count is said by `trust permit show`. */
function unusablePermits({ permits = [] }: DesiredState): readonly string[] {
  return permits.flatMap(({ path, text }) => {
    const read = readPermit(text.trim())
    return read.kind === 'invalid' ? [`${path}: the permit cannot be used: ${read.detail}`] : []
  })
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
