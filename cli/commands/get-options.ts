import { Argument } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { objectTypes } from './object-types.ts'
import { outputOption } from './output-option.ts'
import { selectorOption } from './selector-option.ts'

export function addGetCommand(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('get')
    .description('list everything of one type, or show one line of it')
    .addArgument(new Argument('<type>').choices(objectTypes))
    .argument('[name]')
    .option('--fleet <fleet>', 'only those of this fleet')
    .addOption(selectorOption('only hosts with these labels: site=eu,role!=till'))
    .option('-w, --watch', 'then every line that changes, until interrupted')
    .addOption(outputOption('wide', 'name'))
    .option('--no-headers', 'only the rows')
    .addHelpText(
      'after',
      '\nHosts are listed worst first.\n\nExample:\n  bootfleet get hosts -l site=eu --watch',
    )
    .action(async (type, name, options) => {
      end(await (await import('./get.ts')).runGet(session(), { type, name: name ?? null }, options))
    })
}
