import { InvalidArgumentError } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

/** `dev` and what belongs to a running one. */
export function addDevCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  const dev = program
    .command('dev')
    .description('a whole fleet on this machine: NATS, git, registry, controller and hosts')
    .option('--hosts <n>', 'how many hosts (default: 3, demo: 5)', parseHosts)
    .option('--state <dir>', 'keep everything here and resume from it')
    .option('--keep', 'do not remove the state at the end')
    .action(async (options) => {
      end(await (await import('./dev.ts')).runDev(session(), { ...options, hosts: options.hosts ?? 3 }))
    })
  dev
    .command('image')
    .description('build a small bootable image and push it to the registry of the running dev')
    .argument('<version>')
    .option('--broken', 'its health check web-up fails')
    .action(async (version, options) => {
      end(await (await import('./dev-image.ts')).runDevImage(session(), version, options.broken === true))
    })
  dev
    .command('demo')
    .description('the tour: a good update, a staged one, and a broken one that falls back by itself')
    .addHelpText('after', '\nTakes --hosts <n> (5 unless given) and --keep as dev does.')
    .action(async () => {
      // --hosts and --keep are known to dev, which takes them from here too.
      const { hosts = 5, keep } = dev.opts()
      const flags = { hosts, keep: keep === true }
      end(await (await import('./dev-demo.ts')).runDevDemo(session(), flags))
    })
}

function parseHosts(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1 || count > 50)
    throw new InvalidArgumentError('write a number from 1 to 50.')
  return count
}
