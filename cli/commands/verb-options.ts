import { Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

type End = (status: ExitStatus) => void
type Program = Command<[], { context?: string }>

const why = 'why, for the record'
const fleetOrRollout = 'fleet/NAME or rollout/ID, or just the name of a fleet'

// Only what is called is loaded.
const verbs = () => import('./verbs.ts')

/** Orders: of a rollout, a digest, everything. Each is kept with who gave it, when and why. */
export function addVerbs(program: Program, session: () => Session, end: End): void {
  addRolloutVerbs(program, session, end)
  addOverrides(program, session, end)
  addDigestVerbs(program, session, end)
  addHalt(program, session, end)
  program
    .command('sync')
    .description('let the controller look at git now')
    .action(async () => {
      end(await (await import('./sync.ts')).runSync(session()))
    })
}

function addRolloutVerbs(program: Program, session: () => Session, end: End): void {
  program
    .command('pause')
    .description('start no further host of a rollout; hosts under way finish')
    .argument('<target...>', fleetOrRollout)
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('pause edge --reason "lunch"'))
    .action(async (words, options) => {
      end(await (await verbs()).runRolloutVerb(session(), 'pause', { words, options }))
    })
  program
    .command('resume')
    .description(
      'lift a halt, or else let a paused rollout go on; or a host on which somebody chose what boots',
    )
    .argument('[target...]', `${fleetOrRollout}, or host/NAME`)
    .option('--all', 'lift the halt of everything')
    .addOption(new Option('--reason <text>', why).default('', 'none'))
    .addOption(outputOption())
    .addHelpText(
      'after',
      example(
        'resume edge',
        'resume --all --reason "it was the switch"',
        'resume host/till-17 --reason "the disk was changed"',
      ),
    )
    .action(async (words, options) => {
      end(await (await verbs()).runResume(session(), words, options))
    })
  program
    .command('retry')
    .description('queue failed hosts again: all of a rollout, or one; an aborted rollout begins anew')
    .argument('<target...>', `${fleetOrRollout}, or host/NAME`)
    .option('--host <name>', 'only this one of the rollout')
    .addOption(new Option('--reason <text>', why).default('', 'none'))
    .addOption(outputOption())
    .addHelpText('after', example('retry edge', 'retry host/till-17 --reason "new disk"'))
    .action(async (words, options) => {
      end(await (await verbs()).runRetry(session(), words, options))
    })
  program
    .command('approve')
    .description('answer the approval that a wave waits for, or let in a host that asks to join')
    .argument('<target...>', `${fleetOrRollout}, or request/FINGERPRINT`)
    .option('--wave <name>', 'only if it is this wave that waits')
    .option('--name <name>', 'of a request: what the host is called, in place of what it asked for')
    .addOption(new Option('--reason <text>', why).default('', 'none'))
    .addOption(outputOption())
    .addHelpText(
      'after',
      example('approve edge --wave canary --reason "looks good"', 'approve request/6oxv-uol3-j4wi-p6qm'),
    )
    .action(async (words, options) => {
      end(await (await verbs()).runApprove(session(), words, options))
    })
}

/** What overrides something needs a reason. */
function addOverrides(program: Program, session: () => Session, end: End): void {
  program
    .command('promote')
    .description('pass the gate that a rollout is at: soak, analysis, approval, failures or silent hosts')
    .argument('<target...>', fleetOrRollout)
    .option('--wave <name>', 'only if the rollout is at this wave')
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('promote edge --reason "security fix, cannot wait"'))
    .action(async (words, options) => {
      end(await (await verbs()).runRolloutVerb(session(), 'promote', { words, options }))
    })
  program
    .command('abort')
    .description('end a rollout; hosts keep what they run, and git decides what comes next')
    .argument('<target...>', fleetOrRollout)
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('abort edge --reason "wrong branch"'))
    .action(async (words, options) => {
      end(await (await verbs()).runRolloutVerb(session(), 'abort', { words, options }))
    })
  program
    .command('rollback')
    .description('deny the digest of a rollout and take its hosts back to the image before')
    .argument('<target...>', fleetOrRollout)
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('rollback edge --reason "checkout is slow"'))
    .action(async (words, options) => {
      end(await (await verbs()).runRolloutVerb(session(), 'rollback', { words, options }))
    })
}

function addDigestVerbs(program: Program, session: () => Session, end: End): void {
  program
    .command('deny')
    .description(
      'never grant this digest to a fleet again; it takes nothing from hosts that run it. Or keep out a host that asks to join',
    )
    .argument(
      '<fleet-and-digest...>',
      'fleet/NAME DIGEST; the first digits are enough of a digest that is known. Or request/FINGERPRINT',
    )
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('deny edge 9c41d0aa7b12 --reason "CVE-2026-1234"'))
    .action(async (words, options) => {
      end(await (await verbs()).runDigestVerb(session(), 'deny', { words, options }))
    })
  program
    .command('allow')
    .description('take a denial back, also the one that a rollback left')
    .argument('<fleet-and-digest...>', 'fleet/NAME DIGEST')
    .requiredOption('--reason <text>', `${why}; must be given`)
    .addOption(outputOption())
    .addHelpText('after', example('allow edge 9c41d0aa7b12 --reason "it was the rack"'))
    .action(async (words, options) => {
      end(await (await verbs()).runDigestVerb(session(), 'allow', { words, options }))
    })
}

function addHalt(program: Program, session: () => Session, end: End): void {
  program
    .command('halt')
    .description('the red button: withdraw every grant before its commit point, now, and give no other')
    .argument('[fleet...]', 'only this fleet; without it everything')
    .option('--all', 'everything, which is what halt alone does too')
    .addOption(new Option('--reason <text>', why).default('', 'none'))
    .addOption(outputOption())
    .addHelpText('after', example('halt', 'halt edge --reason "smoke in rack 3"'))
    .action(async (words, options) => {
      end(await (await verbs()).runHalt(session(), words, options))
    })
}

function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  bootfleet ${line}`).join('\n')}`
}
