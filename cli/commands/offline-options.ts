import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { GivenImages } from '../offline/wanted.ts'
import type { Session } from '../session.ts'

/** Commands that ask the engine itself, on this machine; the controller is only asked for its hosts, if at all. */
export function addOfflineCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('preview')
    .description(
      'what a directory would change: which hosts, to what, in which wave and order, and who is left out',
    )
    .argument('[dir]', 'the YAML files', '.')
    .addOption(inventoryOption())
    .addOption(imageOption())
    .addOption(atOption())
    .option('--detailed-exitcode', 'end with 2 when anything would change')
    .addOption(
      new Option(
        '-o, --output <format>',
        'how to print it; yaml is the directory with every default written out',
      )
        .choices(['table', 'markdown', 'json', 'yaml'] as const)
        .default('table' as const),
    )
    .addHelpText(
      'after',
      `\nExample:\n  bootfleet preview . --inventory hosts.yaml --output markdown${inventoryHelp}`,
    )
    .action(async (dir, options) => {
      end(await (await import('./preview.ts')).runPreview(session(), dir, options))
    })
  program
    .command('diff')
    .description('hosts that do not run what a directory says; ends with 2 when there are any')
    .argument('[dir]', 'the YAML files', '.')
    .addOption(inventoryOption())
    .addOption(imageOption())
    .addHelpText('after', `\nExample:\n  bootfleet diff . --inventory hosts.yaml${inventoryHelp}`)
    .action(async (dir, options) => {
      end(await (await import('./diff.ts')).runDiff(session(), dir, options))
    })
  addSimulate(program, session, end)
}

function addSimulate(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('simulate')
    .description(
      'the engine on a virtual clock: how long it takes, how far a failure reaches, what each limit does',
    )
    .argument('[dir]', 'the YAML files', '.')
    .addOption(inventoryOption())
    .option('--hosts <file>', 'the same as --inventory')
    .addOption(imageOption())
    .addOption(atOption())
    .addOption(
      new Option('--failure-rate <share>', 'hosts on which the new image fails: 2%')
        .argParser(parseRate)
        .default(0, 'none'),
    )
    .option('--seed <n>', 'the same luck for the same number', parseSeed, 1)
    .option(
      '--random',
      'no directory: the made-up fleet of this seed, with all its faults, as the tests have it',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print it')
        .choices(['table', 'json'] as const)
        .default('table' as const),
    )
    .addHelpText(
      'after',
      `\nExample:\n  bootfleet simulate . --hosts hosts.yaml --failure-rate 2% --seed 7${inventoryHelp}`,
    )
    .action(async (dir, options) => {
      end(await (await import('./simulate.ts')).runSimulate(session(), dir, options))
    })
}

const inventoryHelp = `

An inventory is a YAML file:
  hosts:
    - { name: till-17, labels: { site: eu }, architecture: amd64, running: { digest: "sha256:…", version: 42.0.9 } }
Only the name must be there. Without an inventory the hosts of the controller are taken. A host with "reportOnly: true"
is in no rollout, and left out.`

function inventoryOption() {
  return new Option('--inventory <file>', 'the hosts; without it those of the controller')
}

function imageOption() {
  return new Option(
    '--image <fleet=digest[:version]>',
    'what the tag or range of a fleet would be resolved to; more than once for several',
  )
    .argParser(parseImage)
    .default(new Map() as GivenImages, 'none')
}

function atOption() {
  return new Option('--at <instant>', 'when it begins: 2026-03-28T22:00:00Z').argParser(parseInstant)
}

function parseImage(text: string, before: GivenImages): GivenImages {
  const match = /^([^=]+)=(sha256:[a-f0-9]{64})(?::(.+))?$/.exec(text)
  if (match === null)
    throw new InvalidArgumentError('write FLEET=sha256:…, and :VERSION behind it if you know it.')
  const [, fleet = '', digest = '', version = ''] = match
  return new Map([...before, [fleet, { digest, version }]])
}

function parseInstant(text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new InvalidArgumentError('write for example 2026-03-28T22:00:00Z.')
  return ms
}

function parseRate(text: string): number {
  const match = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)
  const percent = Number(match?.[1])
  if (match === null || percent > 100) throw new InvalidArgumentError('write a percentage, for example 2%.')
  return percent / 100
}

function parseSeed(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('write a whole number.')
  return Number(text)
}
