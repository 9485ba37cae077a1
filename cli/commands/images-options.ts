import type { Command } from '@commander-js/extra-typings'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'
import { selectorOption } from './selector-option.ts'

/** What runs where: the questions after a vulnerability became known. */
export function addImagesCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('hosts')
    .description('which hosts run an image, or one that contains a layer or a base image, and since when')
    .option(
      '--running <image>',
      'a digest or its beginning, REPOSITORY@sha256:…, REPOSITORY:TAG, a version or a tag',
    )
    .option('--containing <digest>', 'of a layer, packed or unpacked, or of a base image')
    .option('--fleet <fleet>', 'only hosts of this fleet')
    .addOption(selectorOption('only hosts with these labels: site=eu,role!=till'))
    .addOption(outputOption('name'))
    .option('--no-headers', 'only the rows')
    .addHelpText(
      'after',
      `
Hosts that run it are listed, the longest first. How many others have it staged or may go back to it, and of which
images nobody knows the layers, is said on stderr; -o json has all of them.

Examples:
  bootfleet hosts --running 42.0.9
  bootfleet hosts --containing sha256:9c41d0aa7b12…`,
    )
    .action(async (options) => {
      end(await (await import('./images.ts')).runHosts(session(), options))
    })
  program
    .command('images')
    .description(
      'every image that hosts have or fleets name: who runs it, since when, and whether it is denied',
    )
    .option('--fleet <fleet>', 'only what this fleet has and names')
    .addOption(selectorOption('only what hosts with these labels have: site=eu,role!=till'))
    .addOption(outputOption('name'))
    .option('--no-headers', 'only the rows')
    .addHelpText(
      'after',
      `
The image that most hosts run comes first, of equals the one known longest; what nobody runs comes last.

Example:
  bootfleet images --fleet edge -l site=eu`,
    )
    .action(async (options) => {
      end(await (await import('./images.ts')).runImages(session(), options))
    })
}
