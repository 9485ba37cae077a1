import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { askedAt } from '../completion/asked.ts'
import { liveNames } from '../completion/live-names.ts'
import { completionScripts } from '../completion/scripts.ts'
import type { Shell } from '../completion/scripts.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

/** No shell shows more, and all of them grow slow. */
const CANDIDATES_MAX = 500

export function runCompletion({ terminal }: Session, shell: Shell): ExitStatus {
  terminal.out(completionScripts[shell])
  return exitStatus.done
}

/** One line for each: the word, a tab, and what it is. */
export async function runComplete(
  { contextFlag, terminal }: Session,
  program: CommandUnknownOpts,
  words: readonly string[],
): Promise<ExitStatus> {
  const { candidates, context, isQualified, live, partial, prefix } = askedAt(program, words)
  const session = { terminal, contextFlag: context ?? contextFlag }
  const names = live.length === 0 ? [] : await liveNames(session, live, isQualified)
  const fitting = [...candidates, ...names].filter(({ value }) => value.startsWith(partial))
  for (const { about, value } of fitting.slice(0, CANDIDATES_MAX)) {
    terminal.out(`${oneLine(prefix + value)}\t${oneLine(about)}\n`)
  }
  return exitStatus.done
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ')
}
