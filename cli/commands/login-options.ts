import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import { parseDuration } from '../../controller/desired-state/duration.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Session } from '../session.ts'
import { outputOption } from './output-option.ts'

const loginHelp = `
The first time it takes --server, --ssh-key (or --oidc-token-file) and --ca-file or --ca-fingerprint; the context remembers them.
The key signs by ssh-agent, or by its file. What may be done then is what the name has roles for.

Examples:
  bootfleet login --server fleet.example:8444 --ca-file ca.pem --ssh-key ~/.ssh/id_ed25519.pub
  bootfleet login --server fleet.example:8444 --ca-file ca.pem --oidc-token-file token
  bootfleet login`

export function addLoginCommands(
  program: Command<[], { context?: string }>,
  session: () => Session,
  end: (status: ExitStatus) => void,
): void {
  program
    .command('login')
    .description('get a certificate for some hours, by an SSH key or an account that the controller knows')
    .option('--ssh-key <file>', 'public or private half; asked of ssh-agent first')
    .option(
      '--oidc-token-file <file>',
      'instead: an ID token (JWT) that the controller’s issuer gave just now',
    )
    .option('--server <host:port>', 'where the controller listens for logins (join.listen)')
    .option('--address <host:port>', 'where operators reach it (grpc.listen); default: as it says itself')
    .option('--ca-file <file>', 'certificate of the CA by which the controller is known')
    .addOption(
      new Option('--ca-fingerprint <sha256>', 'of the public key of that CA, in hex').argParser(
        parseFingerprint,
      ),
    )
    .addOption(
      new Option('--life <duration>', '1h, 8h; no longer than the controller gives')
        .argParser(parseLife)
        .default(0, 'operators.loginLife of the controller'),
    )
    .addHelpText('after', loginHelp)
    .action(async (options) => {
      end(await (await import('./login.ts')).runLogin(session(), options))
    })
  program
    .command('logout')
    .description('forget the certificate that the login brought')
    .action(async () => {
      end(await (await import('./login.ts')).runLogout(session()))
    })
  program
    .command('whoami')
    .description('who one is to the controller, until when, and which roles that name has')
    .addOption(outputOption())
    .action(async (options) => {
      end(await (await import('./whoami.ts')).runWhoAmI(session(), options))
    })
}

function parseFingerprint(text: string): string {
  const sha256 = text.replaceAll(':', '').toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new InvalidArgumentError('write the 64 digits of a SHA-256.')
  return sha256
}

function parseLife(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs === null || durationMs < 60_000)
    throw new InvalidArgumentError('write for example 30m or 8h.')
  return durationMs
}
