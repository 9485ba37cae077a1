import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { countOption } from './count-option.ts'

type End = (status: ExitStatus) => void

export function addAuditCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: End,
): void {
  const audit = program
    .command('audit')
    .description('who ordered what, and what the controller noticed; alone it lists the newest')
    .addOption(countOption('how many'))
    .option('--fleet <fleet>', 'only of this fleet')
    .addOption(
      new Option('-o, --output <format>').choices(['table', 'json'] as const).default('table' as const),
    )
    .action(async (options) => {
      end(await (await import('./audit.ts')).runAuditList(session(), options))
    })
  audit
    .command('export')
    .description('print the log as it is kept, a signed entry a line; needs view for every fleet')
    .option('--since <when>', 'only from then on: 36h, 30d, or an instant in UTC', parseSince)
    .action(async ({ since }) => {
      end(await (await import('./audit.ts')).runAuditExport(session(), since ?? 0))
    })
  audit
    .command('verify')
    .description('check an export: says at which line its chain breaks; needs no controller')
    .argument('<file>')
    .option('--trust <chain>', 'trust.jsonl; without it signatures are not checked')
    .option('--head <sha256>', 'of an entry that was noted before, and must be there still')
    .action(async (file, { trust = null, head = null }) => {
      const { runAuditVerify } = await import('./audit-verify.ts')
      end(await runAuditVerify(session().terminal, { file, trust, head }))
    })
}

/** Milliseconds since 1970. */
function parseSince(text: string): number {
  const [, count, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }[unit ?? '']
  if (unitMs !== undefined) return Date.now() - Number(count) * unitMs
  const atMs = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs))
    throw new InvalidArgumentError('write for example 36h, 30d or 2026-11-21T14:00:00Z.')
  return atMs
}
