import { Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { countOption } from './count-option.ts'
import { outputOption } from './output-option.ts'

const examples = `
An order is shown once it is answered. What is kept, and how to prove it: bootfleet audit --help.

Examples:
  bootfleet events --for host/till-17
  bootfleet events --for fleet/edge -f
  bootfleet events -n 100 -o json`

export function addEventsCommand(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('events')
    .description(
      'what happened: who ordered what, hosts that asked, what the controller noticed; newest last',
    )
    .addOption(
      new Option(
        '--for <object>',
        'only about host/NAME, fleet/NAME, rollout/ID, request/ID or operator/NAME',
      ),
    )
    .option('-f, --follow', 'then each one as it happens, until interrupted')
    .addOption(countOption('how many of the newest to begin with'))
    .addOption(outputOption())
    .option('--no-headers', 'only the rows')
    .addHelpText('after', examples)
    .action(async (options) => {
      end(await (await import('./events.ts')).runEvents(session(), options))
    })
}
