import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import { PERMIT_HOSTS_MAX } from '../../proto/permit.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'

type End = (status: ExitStatus) => void

const DAY_MS = 24 * 60 * 60 * 1000
const LIFE_MAX_DAYS = 90

export function addPermitCommands(trust: ReturnType<Command['command']>, terminal: Terminal, end: End): void {
  const permit = trust
    .command('permit')
    .description('what approvers permit hosts that they refuse otherwise; a permit lies in git')
  permit
    .command('downgrade')
    .description('print a permit to go back to a lower version than one that ran on a host')
    .requiredOption('--fleet <name>', 'whose hosts may')
    .requiredOption('--repository <name>', 'of the image, without tag and digest')
    .option('--host <id...>', `only these hosts, by id (get hosts -o json); at most ${PERMIT_HOSTS_MAX}`)
    .option('--lowest-version <version>', 'images whose label says this version, or a higher one')
    .option('--digest <digest>', 'this image alone; also one without a version')
    .addOption(
      new Option('--life <days>', `until it expires; at most ${LIFE_MAX_DAYS}d`)
        .argParser(parseDays)
        .default(7 * DAY_MS, '7d'),
    )
    .requiredOption('--reason <text>', 'shown to people')
    .requiredOption('--key <file...>', 'private approver keys that sign')
    .action(async (options) => {
      end(await (await import('./trust-permit.ts')).runPermitDowngrade(terminal, options))
    })
  permit
    .command('sign')
    .description('add the signature of further approvers to a permit, in its file')
    .argument('<file>')
    .requiredOption('--key <file...>', 'private approver keys that sign')
    .action(async (file, { key }) => {
      end(await (await import('./trust-permit.ts')).runPermitSign(terminal, file, key))
    })
  permit
    .command('show')
    .description('what a permit says, and whether enough approvers signed it')
    .argument('<file>')
    .option('--chain <file>', 'trust.jsonl, to check the signatures')
    .action(async (file, { chain = null }) => {
      end(await (await import('./trust-permit.ts')).runPermitShow(terminal, file, chain))
    })
}

function parseDays(text: string): number {
  const days = Number(/^([1-9][0-9]{0,3})d?$/.exec(text)?.[1])
  if (days <= LIFE_MAX_DAYS) return days * DAY_MS
  throw new InvalidArgumentError(`write days, for example 7d; at most ${LIFE_MAX_DAYS}.`)
}
