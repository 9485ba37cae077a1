import { Argument, Command, CommanderError, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import { VERSION } from '../proto/version.ts'
import { addDevCommands } from './commands/dev-options.ts'
import { CliError } from './errors.ts'
import { exitStatus, exitStatusHelp } from './exit-status.ts'
import type { ExitStatus } from './exit-status.ts'
import type { Session } from './session.ts'
import type { Terminal } from './terminal.ts'

/** Runs one command line and says how it ended; never throws for what an operator can cause. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<ExitStatus> {
  let status: ExitStatus = exitStatus.done
  const program = buildProgram(terminal, (ended) => {
    status = ended
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.error
    if (terminal.signal.aborted) return exitStatus.error
    if (!(error instanceof CliError)) throw error
    terminal.note(`error: ${error.message}\n`)
    return error.code === 'TimedOut' ? exitStatus.timedOut : exitStatus.error
  }
}

type End = (status: ExitStatus) => void

const footer = `
${exitStatusHelp}.
Context: --context FILE, then BOOTFLEET_CONTEXT, then ~/.config/bootfleet/context.json.
Data goes to stdout, progress and warnings to stderr; NO_COLOR is honoured.`

function buildProgram(terminal: Terminal, end: End): Command<[], { context?: string }> {
  const program = new Command('bootfleet')
    .description('Keep a fleet of Linux hosts on the bootable image that git says they should run.')
    .version(VERSION)
    .option('--context <file>', 'how to reach the controller, and as whom')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.note })
    .addHelpText('after', footer)
  const session = (): Session => ({ terminal, contextFlag: program.opts().context })
  addReads(program, session, end)
  addVerbs(program, session, end)
  addDevCommands(program, session, end)
  return program
}

function addReads(program: Command<[], { context?: string }>, session: () => Session, end: End): void {
  program
    .command('status')
    .description(
      'where is the fleet, at a glance; with FLEET also its waves and the hosts that need attention',
    )
    .argument('[fleet]')
    .option('-w, --watch', 'show every change until interrupted')
    .option('--wait', 'wait until the revision is decided; the exit status tells how')
    .option(
      '--revision <r>',
      'what to wait for: HEAD, a commit or a revision, whole or its beginning',
      'HEAD',
    )
    .option('--timeout <duration>', 'how long to wait: 90s, 10m, 1h', parseDuration, 600_000)
    .addOption(outputOption())
    .option('--no-headers', 'only the rows')
    .action(async (fleet, options) => {
      end(await (await import('./commands/status.ts')).runStatus(session(), fleet ?? null, options))
    })
  program
    .command('get')
    .description('list hosts, fleets or rollouts, or show one line of them')
    .addArgument(
      new Argument('<type>').choices(['hosts', 'fleets', 'rollouts', 'host', 'fleet', 'rollout'] as const),
    )
    .argument('[name]')
    .option('--fleet <fleet>', 'only those of this fleet')
    .addOption(outputOption('name'))
    .option('--no-headers', 'only the rows')
    .action(async (type, name, options) => {
      end(await (await import('./commands/get.ts')).runGet(session(), { type, name: name ?? null }, options))
    })
  program
    .command('describe')
    .description('one object with its reasons: TYPE/NAME or TYPE NAME')
    .argument('<object...>')
    .addOption(outputOption())
    .action(async (words, options) => {
      end(await (await import('./commands/describe.ts')).runDescribe(session(), words, options))
    })
  program
    .command('validate')
    .description('check the YAML files of a directory as the controller would; needs no controller')
    .argument('<dir>')
    .action(async (dir) => {
      end(await (await import('./commands/validate.ts')).runValidate(session(), dir))
    })
}

function addVerbs(program: Command<[], { context?: string }>, session: () => Session, end: End): void {
  program
    .command('pause')
    .description('start no further host of a rollout; hosts under way finish')
    .argument('<target>', 'a fleet, or the id of a rollout')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (target, { reason }) => {
      end(await (await import('./commands/pause.ts')).runPause(session(), { target, reason }))
    })
  program
    .command('resume')
    .description('let a paused rollout go on')
    .argument('<target>', 'a fleet, or the id of a rollout')
    .option('--reason <text>', 'why, for the record', '')
    .action(async (target, { reason }) => {
      end(await (await import('./commands/pause.ts')).runResume(session(), { target, reason }))
    })
  program
    .command('sync')
    .description('let the controller look at git now')
    .action(async () => {
      end(await (await import('./commands/sync.ts')).runSync(session()))
    })
}

function outputOption<Extra extends string = never>(
  ...extra: Extra[]
): Option<'-o, --output <format>', undefined, 'table', undefined, false, 'table' | 'json' | 'yaml' | Extra> {
  const choices: ('table' | 'json' | 'yaml' | Extra)[] = ['table', 'json', 'yaml', ...extra]
  return new Option('-o, --output <format>', 'how to print it').choices(choices).default('table' as const)
}

function parseDuration(text: string): number {
  const match = /^(\d{1,6})(ms|s|m|h)$/.exec(text)
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? '']
  if (match === null || factor === undefined)
    throw new InvalidArgumentError('write for example 90s, 10m or 1h.')
  return Number(match[1]) * factor
}
