import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

type End = (status: ExitStatus) => void

const DAY_MS = 24 * 60 * 60 * 1000

export function addOperatorCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: End,
): void {
  const operator = program.command('operator').description('certificates of people who operate')
  operator
    .command('request')
    .description(
      'make a key and a request for its certificate: operator.key and request.csr; needs no controller',
    )
    .argument('<dir>')
    .action(async (dir) => {
      end(await (await import('./operator.ts')).runOperatorRequest(session().terminal, dir))
    })
  operator
    .command('issue')
    .description('have the controller certify a request under this name; needs admin for every fleet')
    .argument('<name>', 'a-z, 0-9, ".", "_" and "-"; roles are given to it')
    .requiredOption('--identity <dir>', 'has request.csr; operator.pem and ca.pem go there')
    .addOption(new Option('--life <time>', 'hours or days').argParser(parseLife).default(30 * DAY_MS, '30d'))
    .action(async (name, { identity, life }) => {
      const { runOperatorIssue } = await import('./operator.ts')
      end(await runOperatorIssue(session(), { name, identity, lifeMs: life }))
    })
}

function parseLife(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,3})([hd])$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('write for example 12h or 30d.')
  return Number(count) * (unit === 'h' ? DAY_MS / 24 : DAY_MS)
}
