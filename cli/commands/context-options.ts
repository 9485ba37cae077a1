import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

const contextHelp = `
A context says how to reach one controller, and as whom. The first of these that there is counts:
  1. --context NAME|FILE
  2. the environment: BOOTFLEET_CONTEXT, also NAME or FILE
  3. the file: what "bootfleet context use" chose, else the context "default"
They are files below ~/.config/bootfleet (XDG_CONFIG_HOME): contexts/NAME.json, and context.json for "default".

Examples:
  bootfleet context list
  bootfleet context set shop --address shop.example:7443 --ca ca.pem --certificate operator.pem --key operator.key
  bootfleet login --context shop --server shop.example:8444 --ca-file ca.pem --ssh-key ~/.ssh/id_ed25519.pub
  bootfleet context use shop`

export function addContextCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  const context = program
    .command('context')
    .description('controllers by name: which there are, and which one commands use; needs no controller')
    .addHelpText('after', contextHelp)
  context
    .command('list')
    .description('every context that has a name, as whom, and until when')
    .addOption(outputOption('name'))
    .option('--no-headers', 'only the rows')
    .addHelpText('after', '\nExample:\n  bootfleet context list')
    .action(async (options) => {
      end(await (await import('./context.ts')).runContextList(session(), options))
    })
  context
    .command('use')
    .description('choose the one that commands use, where neither flag nor environment says otherwise')
    .argument('<context>', 'its name')
    .addHelpText('after', '\nExample:\n  bootfleet context use shop')
    .action(async (name) => {
      end(await (await import('./context.ts')).runContextUse(session(), name))
    })
  addChanges(context, session, end)
  context
    .command('show')
    .description('the context that commands use now, and why that one; or the one of a name')
    .argument('[context]', 'its name')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet context show')
    .action(async (name, options) => {
      end(await (await import('./context.ts')).runContextShow(session(), name ?? null, options))
    })
}

function addChanges(
  context: Command<[], Record<never, never>, { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  context
    .command('set')
    .description('make a context of this name, or change what is given')
    .argument('<context>', 'its name')
    .addOption(
      new Option('--address <host:port>', 'where operators reach the controller (grpc.listen)').argParser(
        parseAddress,
      ),
    )
    .option('--ca <file>', 'certificate of the CA by which the controller is known')
    .option('--certificate <file>', 'of the operator, as an admin issued it')
    .option('--key <file>', 'of that certificate')
    .addHelpText(
      'after',
      `
One that is new needs --address and --ca; without a certificate, "bootfleet login --context NAME" brings one.

Examples:
  bootfleet context set shop --address shop.example:7443 --ca ca.pem --certificate operator.pem --key operator.key
  bootfleet context set shop --address standby.shop.example:7443`,
    )
    .action(async (name, options) => {
      end(await (await import('./context.ts')).runContextSet(session(), name, options))
    })
  context
    .command('delete')
    .description('forget the context of this name, and what a login brought for it')
    .argument('<context>', 'its name')
    .addHelpText('after', '\nExample:\n  bootfleet context delete shop')
    .action(async (name) => {
      end(await (await import('./context.ts')).runContextDelete(session(), name))
    })
}

function parseAddress(text: string): string {
  if (/^(?:\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d{1,5}$/.test(text)) return text
  throw new InvalidArgumentError('write HOST:PORT, for example fleet.example:7443.')
}
