import { Argument } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import { SHELLS } from '../completion/scripts.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'

/** `complete` is what the scripts call; nobody types it. */
export function addCompletionCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('completion')
    .description('what makes the shell complete commands, options and names of fleets, hosts and rollouts')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  bootfleet completion bash > /etc/bash_completion.d/bootfleet
  bootfleet completion zsh > "\${fpath[1]}/_bootfleet"
  bootfleet completion fish > ~/.config/fish/completions/bootfleet.fish`,
    )
    .action(async (shell) => {
      end((await import('./completion.ts')).runCompletion(session(), shell))
    })
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words) => {
      end(await (await import('./completion.ts')).runComplete(session(), program, words))
    })
}
