import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import { parseDuration } from '../../controller/desired-state/duration.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

type Labels = Readonly<Record<string, string>>

export function addEnrolCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  const enrol = program.command('enrol').alias('enroll').description('let hosts into the fleet')
  enrol
    .command('host')
    .description("sign a host's certificate request, and record its name and labels")
    .argument('<name>', 'for people; unique')
    .requiredOption('--identity <dir>', 'has request.csr; certificate.pem, ca.pem and trust.jsonl go there')
    .option(
      '--trust <file>',
      'trust.jsonl whose first bundle the host is to believe; default: that of the controller',
    )
    .addOption(
      new Option('--label <key=value>', 'may be repeated; selectors of fleets look at it')
        .argParser(collect)
        .default({} as Labels, 'none'),
    )
    .addOption(
      new Option('--join-within <duration>', 'for a disk that is installed later: 30d, at most 90d')
        .argParser(parseJoinWithin)
        .default(0, 'a certificate of a day'),
    )
    .action(async (name, { identity, trust = null, label, joinWithin }) => {
      const { runEnrol } = await import('./enrol.ts')
      const enrolment = { name, identity, trust, labels: label, joinWithinMs: joinWithin }
      end(await runEnrol(session(), enrolment))
    })
  addTokenCommands(enrol, session, end)
  program
    .command('revoke')
    .description('cut a host off: no connection, certificate or plan, until a person enrols it again')
    .argument('<host...>', 'host/NAME, or just the name or id')
    .requiredOption('--reason <text>', 'why, for the record; must be given')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet revoke host/till-17 --reason "stolen"')
    .action(async (words, options) => {
      end(await (await import('./verbs.ts')).runRevoke(session(), words, options))
    })
}

type Parent = Pick<Command, 'command'>

function addTokenCommands(enrol: Parent, session: () => Session, end: (status: ExitStatus) => void): void {
  const token = enrol.command('token').description('let hosts ask to be enrolled by themselves')
  token
    .command('create')
    .description('make a token, which is shown once: bootfleet-agent enrol takes it from a file')
    .addOption(
      new Option('--label <key=value>', 'may be repeated; every host that is let in gets it')
        .argParser(collect)
        .default({} as Labels, 'none'),
    )
    .addOption(
      new Option('--expires <duration>', 'from 1m to 1h').argParser(parseExpiry).default(3_600_000, '1h'),
    )
    .addOption(
      new Option('--uses <n>', 'how many hosts may ask, at most 50').argParser(parseCount).default(1),
    )
    .addOption(
      new Option('--auto-approve [n]', 'let so many in without a person; without a number as many as may ask')
        .argParser(parseAutoApproval)
        .preset('all'),
    )
    .option(
      '--replace <host>',
      'host/NAME: new hardware in its place, with its name and labels; approving it revokes the old key',
    )
    .addOption(
      new Option(
        '--returning',
        'no token: until it expires, hosts that are enrolled come back by their own key, whose certificate ended',
      ).conflicts(['label', 'uses', 'autoApprove', 'replace', 'file']),
    )
    .option('--file <path>', 'write the token there, for you alone, and do not show it')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet enrol token create --label site=eu --file till-1.token')
    .action(async ({ label, expires, uses, autoApprove, file, replace, returning = false, output }) => {
      const wish = { labels: label, lifeMs: expires, uses, autoApprove, file, replace, returning, output }
      end(await (await import('./token.ts')).runTokenCreate(session(), wish))
    })
  token
    .command('list')
    .description('tokens of the last day, without their secrets')
    .addOption(outputOption())
    .action(async ({ output }) => {
      end(await (await import('./token.ts')).runTokenList(session(), output))
    })
  token
    .command('revoke')
    .description('let nobody in by a token any more, and deny what waits by it')
    .argument('<id>')
    .requiredOption('--reason <text>', 'why, for the record; must be given')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  bootfleet enrol token revoke k3v5ql2m7a --reason "in a mail"')
    .action(async (id, options) => {
      end(await (await import('./verbs.ts')).runRevokeToken(session(), id, options))
    })
}

function parseExpiry(text: string): number {
  const expiryMs = parseDuration(text)
  if (expiryMs === null || expiryMs <= 0) throw new InvalidArgumentError('write for example 30m or 1h.')
  return expiryMs
}

/** True: as many as there are uses. */
function parseAutoApproval(text: string): number | true {
  return text === 'all' ? true : parseCount(text)
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('write a number of hosts.')
}

function parseJoinWithin(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs === null || durationMs <= 0) throw new InvalidArgumentError('write for example 36h or 30d.')
  return durationMs
}

function collect(text: string, before: Labels): Labels {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? []
  if (key === undefined || value === undefined) throw new InvalidArgumentError('write KEY=VALUE.')
  return { ...before, [key]: value }
}
