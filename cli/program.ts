import { Command, CommanderError } from '@commander-js/extra-typings'
import { VERSION } from '../proto/version.ts'
import { addAuditCommands } from './commands/audit-options.ts'
import { addCompletionCommands } from './commands/completion-options.ts'
import { addContextCommands } from './commands/context-options.ts'
import { addDevCommands } from './commands/dev-options.ts'
import { addEnrolCommands } from './commands/enrol-options.ts'
import { addEventsCommand } from './commands/events-options.ts'
import { addExplainCommands } from './commands/explain-options.ts'
import { addGetCommand } from './commands/get-options.ts'
import { addImageCommands } from './commands/image-options.ts'
import { addImagesCommands } from './commands/images-options.ts'
import { addLoginCommands } from './commands/login-options.ts'
import { addOfflineCommands } from './commands/offline-options.ts'
import { addOperatorCommands } from './commands/operator-options.ts'
import { outputOption } from './commands/output-option.ts'
import { addStatusCommand } from './commands/status-options.ts'
import { addTrustCommands } from './commands/trust-options.ts'
import { addVerbs } from './commands/verb-options.ts'
import { addWebCommand } from './commands/web-options.ts'
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
Context, the first that there is: --context NAME|FILE, then BOOTFLEET_CONTEXT, then what "bootfleet context use" chose,
then ~/.config/bootfleet/context.json.
Data goes to stdout, progress and warnings to stderr; NO_COLOR is honoured.`

/** All commands, ready to parse a command line. */
export function buildProgram(terminal: Terminal, end: End): Command<[], { context?: string }> {
  const program = new Command('bootfleet')
    .description('Keep a fleet of Linux hosts on the bootable image that git says they should run.')
    .version(VERSION)
    .option('--context <context>', 'how to reach the controller, and as whom: a name or a file')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.note })
    .addHelpText('after', footer)
    .showHelpAfterError('with --help after the command it says what it takes')
  const session = (): Session => ({ terminal, contextFlag: program.opts().context })
  addStatusCommand(program, session, end)
  addWebCommand(program, session, end)
  addReads(program, session, end)
  addExplainCommands(program, session, end)
  addImagesCommands(program, session, end)
  addOfflineCommands(program, session, end)
  addVerbs(program, session, end)
  addEnrolCommands(program, session, end)
  addEventsCommand(program, session, end)
  addAuditCommands(program, session, end)
  addOperatorCommands(program, session, end)
  addLoginCommands(program, session, end)
  addContextCommands(program, session, end)
  addTrustCommands(program, terminal, end)
  addDevCommands(program, session, end)
  addImageCommands(program, session, end)
  addCompletionCommands(program, session, end)
  return program
}

function addReads(program: Command<[], { context?: string }>, session: () => Session, end: End): void {
  addGetCommand(program, session, end)
  program
    .command('describe')
    .description('one object with its reasons: TYPE/NAME or TYPE NAME')
    .argument('<object...>')
    .option('--etc', 'of a host: the files of /etc that it changed against the image it runs, by name')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nThe last events about it come at the end; JSON and YAML are the object alone, always with /etc.\n\nExamples:\n  bootfleet describe host/till-17\n  bootfleet describe host/till-17 --etc',
    )
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
  program
    .command('schema')
    .description('the JSON Schema of what stands in git, for editors; needs no controller')
    .addHelpText('after', '\nExample:\n  bootfleet schema > .bootfleet.schema.json')
    .action(async () => {
      end((await import('./commands/schema.ts')).runSchema(session()))
    })
}
