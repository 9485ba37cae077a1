import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

/** Commands that answer a question about one host or fleet. */
export function addExplainCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('why')
    .description('what keeps a host from its next step, since when, and what comes next')
    .argument('<host...>', 'host/NAME, or just its name or id')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet why host/till-17')
    .action(async (words, options) => {
      end(await (await import('./explain.ts')).runWhy(session(), words, options))
    })
  program
    .command('trace')
    .description('from the commit to the boot: digest, rollout, orders, wave, grant, each with its time')
    .argument('<object...>', 'host/NAME or fleet/NAME')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet trace host/till-17')
    .action(async (words, options) => {
      end(await (await import('./explain.ts')).runTrace(session(), words, options))
    })
}
