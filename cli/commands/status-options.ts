import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

type Program = Command<[], { context?: string }>
type End = (status: ExitStatus) => void

const examples = `
Example:
  bootfleet status --watch
  bootfleet status edge --wait --timeout 30m`

export function addStatusCommand(program: Program, session: () => Session, end: End): void {
  program
    .command('status')
    .description(
      'where is the fleet, at a glance; with FLEET also its waves and the hosts that need attention',
    )
    .argument('[fleet]')
    .option(
      '-w, --watch',
      'the live dashboard on a terminal (? lists its keys); elsewhere a block per change',
    )
    .option('--plain', 'with --watch on a terminal: no dashboard, a block per change')
    .option('--wait', 'wait until the revision is decided; the exit status tells how')
    .option(
      '--revision <r>',
      'what to wait for: HEAD, a commit or a revision, whole or its beginning',
      'HEAD',
    )
    .addOption(
      new Option('--timeout <duration>', 'how long to wait: 90s, 10m, 1h')
        .argParser(parseDuration)
        .default(600_000, '10m'),
    )
    .addOption(outputOption())
    .option('--no-headers', 'only the rows')
    .addHelpText('after', examples)
    .action(async (fleet, options) => {
      end(await (await import('./status.ts')).runStatus(session(), fleet ?? null, options))
    })
}

function parseDuration(text: string): number {
  const match = /^(\d{1,6})(ms|s|m|h)$/.exec(text)
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? '']
  if (match === null || factor === undefined)
    throw new InvalidArgumentError('write for example 90s, 10m or 1h.')
  return Number(match[1]) * factor
}
