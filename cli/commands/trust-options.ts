import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command } from '@commander-js/extra-typings'
import { TRUST_ROLES } from '../../proto/trust-roles.ts'
import type { TrustRole } from '../../proto/trust-roles.ts'
import type { ExitStatus } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'
import type { RoleAndValue } from './trust.ts'
import { addPermitCommands } from './trust-permit-options.ts'

type End = (status: ExitStatus) => void
type Program = Command<[], { context?: string }>

const DAY_MS = 24 * 60 * 60 * 1000
const LIFE_MAX_DAYS = 3650
const SERVER_KINDS = ['controller', 'nats'] as const

export function addTrustCommands(program: Program, terminal: Terminal, end: End): void {
  const trust = program
    .command('trust')
    .description('keys, certificates and the bundles that tell hosts whom to believe; needs no controller')
  addInit(trust, terminal, end)
  addRotate(trust, terminal, end)
  addNats(trust, terminal, end)
  addCertificates(trust, terminal, end)
  addPermitCommands(trust, terminal, end)
  trust
    .command('key')
    .description('make a key pair: FILE, readable by you only, and its public half beside it as .pem')
    .argument('<role>', TRUST_ROLES.join(', '), parseRole)
    .argument('<file>', 'ends in .key')
    .action(async (role, file) => {
      end(await (await import('./trust.ts')).runTrustKey(terminal, role, file))
    })
  trust
    .command('show')
    .description('who may do what by the newest bundle of a chain, and until when')
    .argument('<chain>', 'trust.jsonl')
    .addOption(new Option('-o, --output <format>').choices(['json'] as const))
    .action(async (chain, { output }) => {
      end(
        await (await import('./trust.ts')).runTrustShow(terminal, chain, output === 'json' ? 'json' : 'text'),
      )
    })
  trust
    .command('verify')
    .description('check every bundle of a chain, and that the newest has not expired')
    .argument('<chain>', 'trust.jsonl')
    .option('--first <file>', 'a chain that must begin with the same bundle, as that of a host')
    .action(async (chain, { first = null }) => {
      end(await (await import('./trust.ts')).runTrustVerify(terminal, chain, first))
    })
}

function addCertificates(trust: ReturnType<Program['command']>, terminal: Terminal, end: End): void {
  trust
    .command('ca')
    .description('make the CA that follows the one in use: FILE, and its certificate beside it as .pem')
    .argument('<file>', 'ends in .key')
    .action(async (file) => {
      end(await (await import('./trust-certificates.ts')).runTrustCa(terminal, file))
    })
  trust
    .command('server')
    .description(
      'make another certificate for the controller, which takes it as it runs, or for the NATS server',
    )
    .argument('<file>', 'ends in .key')
    .requiredOption('--ca <file>', 'key of the CA, its certificate beside it as .pem')
    .option('--dns <name...>', 'names of the controller beside localhost', [])
    .option('--ip <address...>', 'addresses beside the loopback', [])
    .addOption(
      new Option('--for <program>', 'whose certificate').choices(SERVER_KINDS).default('controller' as const),
    )
    .action(async (file, { ca, dns, ip, for: kind }) => {
      const wanted = { ca, dns, ip, kind }
      end(await (await import('./trust-certificates.ts')).runTrustServer(terminal, file, wanted))
    })
  trust
    .command('operator')
    .description('make a certificate for an operator where nobody has one any more who could issue it')
    .argument('<file>', 'ends in .key')
    .requiredOption('--ca <file>', 'key of the CA, its certificate beside it as .pem')
    .option('--name <name>', 'as operators.yaml names who it is', 'admin')
    .action(async (file, { ca, name }) => {
      end(await (await import('./trust-certificates.ts')).runTrustOperator(terminal, file, { ca, name }))
    })
}

function addNats(trust: ReturnType<Program['command']>, terminal: Terminal, end: End): void {
  trust
    .command('nats')
    .description(
      'sign anew what NATS lets hosts and the controller do: for a new version, or to revoke a user',
    )
    .argument('<accounts>', 'accounts.conf of the NATS server')
    .requiredOption('--key <file>', 'nats-accounts.key, which is kept offline')
    .option('--revoke <user...>', 'public keys of users whose JWTs count no more (nats.pub of a host)', [])
    .option('--new-keys <dir>', 'make the keys that make users anew; no user made by the old ones counts')
    .option('--revoke-all', 'no JWT of a host that was made until now counts any more')
    .action(async (accounts, options) => {
      end(await (await import('./trust.ts')).runTrustNats(terminal, accounts, options))
    })
}

function addInit(trust: ReturnType<Program['command']>, terminal: Terminal, end: End): void {
  trust
    .command('init')
    .description('make every key of a new deployment, split by who keeps it; never overwrites')
    .argument('<dir>')
    .option('--dns <name...>', 'further names of the controller, beside localhost', [])
    .option('--ip <address...>', 'further addresses of the controller, beside the loopback', [])
    .option('--operator <name>', 'whom the operator certificate names', 'admin')
    .option('--root-keys <count>', 'how many root keys to make', parseCount, 3)
    .option(
      '--release-keys <count>',
      'how many keys that sign images to make; with 0 hosts take unsigned images',
      parseCountOrNone,
      1,
    )
    .option('--threshold <role=count>', 'how many of a role must sign; root=2 by default', collectRole, [])
    .option('--life <days>', 'until the bundle must be renewed', parseDays, 365 * DAY_MS)
    .option('--import-ca <cert>', 'certificate of a CA that exists (PEM); with --import-ca-key')
    .option('--import-ca-key <key>', 'its P-256 key (PKCS#8, PEM)')
    .option(
      '--import-key <role=file>',
      'a key that exists, public or private (PEM); repeatable',
      collectRole,
      [],
    )
    .option('--if-missing', 'do nothing when all of it exists')
    .action(async (dir, options) => {
      end(await (await import('./trust.ts')).runTrustInit(terminal, dir, options))
    })
}

function addRotate(trust: ReturnType<Program['command']>, terminal: Terminal, end: End): void {
  trust
    .command('rotate')
    .description('append the next bundle to a chain: other keys, or only a later end')
    .argument('<chain>', 'trust.jsonl of the controller')
    .requiredOption(
      '--root-key <file...>',
      'private root keys that sign, of the bundle before and of the new one',
    )
    .option('--replace <role=file>', 'this key instead of all that the role has; repeatable', collectRole, [])
    .option('--add <role=file>', 'this key too; repeatable', collectRole, [])
    .option('--remove <role=id>', 'the key whose id begins so; repeatable', collectRole, [])
    .option('--threshold <role=count>', 'how many of a role must sign; repeatable', collectRole, [])
    .option('--add-ca <file...>', 'certificate of a further CA (PEM)', [])
    .option('--remove-ca <file...>', 'certificate of a CA that counts no more (PEM)', [])
    .option('--life <days>', 'until the bundle must be renewed', parseDays, 365 * DAY_MS)
    .action(async (chain, options) => {
      end(await (await import('./trust.ts')).runTrustRotate(terminal, chain, options))
    })
}

function parseRole(text: string): TrustRole {
  const role = TRUST_ROLES.find((name) => name === text)
  if (role === undefined) throw new InvalidArgumentError(`roles are ${TRUST_ROLES.join(', ')}.`)
  return role
}

function collectRole(text: string, before: readonly RoleAndValue[]): readonly RoleAndValue[] {
  const [, name = '', value] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (value === undefined) throw new InvalidArgumentError('write ROLE=VALUE.')
  return [...before, { role: parseRole(name), value }]
}

function parseCount(text: string): number {
  if (/^[1-9][0-9]?$/.test(text) && Number(text) <= 16) return Number(text)
  throw new InvalidArgumentError('write a number from 1 to 16.')
}

function parseCountOrNone(text: string): number {
  return text === '0' ? 0 : parseCount(text)
}

function parseDays(text: string): number {
  const days = /^([1-9][0-9]{0,3})d?$/.exec(text)?.[1]
  if (days !== undefined && Number(days) <= LIFE_MAX_DAYS) return Number(days) * DAY_MS
  throw new InvalidArgumentError(`write days, for example 365d; at most ${LIFE_MAX_DAYS}.`)
}
