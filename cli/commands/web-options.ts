import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

const examples = `
The controller must serve it: web: { listen: "0.0.0.0:8445" } in its configuration ("bootfleet dev" does).

Example:
  bootfleet web`

export function addWebCommand(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('web')
    .description('the fleets in a browser of this machine, read-only, as the operator of the context')
    .addOption(new Option('--port <port>', 'on 127.0.0.1').argParser(parsePort).default(0, 'a free one'))
    .option('--server <host:port>', 'where the controller’s page is reached; default: as it says itself')
    .addHelpText('after', examples)
    .action(async (options) => {
      end(await (await import('./web.ts')).runWeb(session(), options))
    })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('write a port, for example 8445.')
  return port
}
