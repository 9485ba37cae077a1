import { parseArgs } from 'node:util'
import { SnapError } from './errors.ts'

const options = {
  sysroot: { type: 'string' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
  help: { type: 'boolean', short: 'h' },
  id: { type: 'string' },
  url: { type: 'string' },
  input: { type: 'string', short: 'i' },
  progress: { type: 'string' },
  quiet: { type: 'boolean', short: 'q' },
  'stall-timeout': { type: 'string' },
  readonly: { type: 'boolean' },
  'no-readonly': { type: 'boolean' },
  'if-exists': { type: 'boolean' },
  cascade: { type: 'boolean' },
  'etc-base': { type: 'string' },
  etc: { type: 'string' },
  bad: { type: 'string' },
  profile: { type: 'string' },
  list: { type: 'boolean' },
  fetch: { type: 'boolean' },
  keep: { type: 'string' },
  copies: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  size: { type: 'string' },
  format: { type: 'string' },
  'esp-size': { type: 'string' },
  karg: { type: 'string', multiple: true },
  'agent-config': { type: 'string' },
  identity: { type: 'string' },
  'root-ssh-authorized-keys': { type: 'string' },
  hostname: { type: 'string' },
  wipe: { type: 'boolean' },
} as const

type OptionName = keyof typeof options
export type OptionValues = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const anywhere: readonly OptionName[] = ['sysroot', 'json', 'verbose', 'help']

const installOptions = [
  'size',
  'format',
  'esp-size',
  'karg',
  'agent-config',
  'identity',
  'root-ssh-authorized-keys',
  'hostname',
  'wipe',
] as const satisfies readonly OptionName[]

type Rule = { positionals: readonly [min: number, max: number]; options: readonly OptionName[] }

const rules = {
  init: { positionals: [0, 0], options: [] },
  pull: { positionals: [1, 1], options: ['progress', 'quiet', 'stall-timeout'] },
  load: { positionals: [0, 1], options: ['input', 'progress', 'quiet', 'stall-timeout'] },
  switch: { positionals: [1, 1], options: [] },
  'get-root': { positionals: [1, 1], options: [] },
  'set-readonly-state': { positionals: [1, 1], options: ['readonly', 'no-readonly'] },
  'get-readonly-state': { positionals: [1, 1], options: [] },
  'list-images': { positionals: [0, 0], options: [] },
  'list-snapshots': { positionals: [0, 0], options: [] },
  'get-default': { positionals: [0, 0], options: [] },
  'get-current': { positionals: [0, 0], options: [] },
  delete: { positionals: [0, 0], options: ['id', 'url', 'if-exists', 'cascade'] },
  'create-snapshot': { positionals: [1, 1], options: [] },
  status: { positionals: [0, 0], options: [] },
  deploy: { positionals: [1, 1], options: ['etc-base', 'etc', 'karg'] },
  activate: { positionals: [1, 1], options: [] },
  rollback: { positionals: [0, 1], options: ['bad'] },
  bless: { positionals: [0, 1], options: [] },
  repair: { positionals: [0, 0], options: [] },
  pin: { positionals: [1, 1], options: [] },
  unpin: { positionals: [1, 1], options: [] },
  call: { positionals: [2, Number.POSITIVE_INFINITY], options: [] },
  'etc-diff': { positionals: [0, 0], options: [] },
  lint: { positionals: [0, 1], options: ['profile', 'list', 'fetch', 'stall-timeout'] },
  diff: { positionals: [2, 2], options: ['fetch', 'stall-timeout'] },
  gc: { positionals: [0, 0], options: ['keep', 'copies', 'dry-run'] },
  install: { positionals: [3, 3], options: [...installOptions, 'progress', 'stall-timeout'] },
} as const satisfies Record<string, Rule>

export type CommandName = keyof typeof rules

export type Invocation = {
  kind: 'command'
  command: CommandName
  values: OptionValues
  positionals: readonly string[]
}
export type Arguments = Invocation | { kind: 'help' }

export const usage = `usage: container-snap [--sysroot DIR] [--json] [--verbose] COMMAND

  init                                          set up the store
  pull [--progress=json] [--quiet] [--stall-timeout SECONDS] IMAGE
                                                fetch an image into the store
  load (--input FILE | IMAGE)                   as pull, from an OCI archive
  list-images                                   id, created, name
  list-snapshots                                id, read-only
  create-snapshot ID                            make a working copy, print its id
  get-root ID                                   print the folder of a snapshot
  set-readonly-state [--readonly|--no-readonly] ID
  get-readonly-state ID
  switch ID                                     make a snapshot the root of the next boot
  get-default, get-current                      what boots next, what runs now
  delete (--id ID | --url NAME) [--if-exists] [--cascade]
  status                                        all of it

  deploy [--etc-base IMAGE|DIR [--etc DIR]] [--karg ARGUMENT]… IMAGE
                                                make a deployment of an image, with this machine's /etc
                                                (--etc: with DIR in its place)
  activate ID                                   make a deployment what boots next, on trial
  bless [ID]                                    it (or what runs) has proven itself
  rollback [--bad REASON] [ID]                  back to the last one that has proven itself, or to ID
  repair                                        after a crash or a boot: put right what it left
  pin ID, unpin ID                              keep a copy from being deleted, or no more
  gc [--keep N] [--copies] [--dry-run]          free what nothing needs, say how much came free
  call ID -- COMMAND [ARGUMENT]…                run a command inside a copy
  diff ID ID, diff --fetch IMAGE IMAGE          packages and files that came, went or changed
  etc-diff                                      what this machine changed in /etc
  lint (IMAGE | DIR | --fetch IMAGE) [--profile systemd-boot|grub|tukit-grub2], lint --list
                                                check that an image can be booted and updated
  (--fetch: of images that need not be here; they are fetched for it, and not kept)
  install to-disk IMAGE DISK [--size 10G] [--format raw|qcow2|vhd|vmdk] [--wipe]
          [--esp-size 512M] [--karg ARGUMENT]… [--hostname NAME] [--agent-config FILE]
          [--identity DIR] [--root-ssh-authorized-keys FILE]
                                                make a disk that boots the image
`

export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parsed(argv)
  const [name, ...rest] = positionals
  if (values.help || name === 'help') return { kind: 'help' }
  if (name === undefined) throw new SnapError('usage', 'no command given; container-snap --help lists them')
  if (!isCommand(name))
    throw new SnapError('usage', `unknown command '${name}'; container-snap --help lists them`)
  const rule: Rule = rules[name]
  for (const option of Object.keys(values) as OptionName[]) {
    if (anywhere.includes(option) || rule.options.includes(option)) continue
    throw new SnapError('usage', `${name} has no option --${option}; container-snap --help shows what it has`)
  }
  const [min, max] = rule.positionals
  if (rest.length < min)
    throw new SnapError(
      'usage',
      `${name} needs ${min} argument${min === 1 ? '' : 's'}; container-snap --help shows which`,
    )
  if (rest.length > max)
    throw new SnapError('usage', `${name} takes no more than ${max} arguments: ${rest.join(' ')}`)
  checkValues(values)
  return { kind: 'command', command: name, values, positionals: rest }
}

function parsed(argv: readonly string[]): { values: OptionValues; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new SnapError('usage', (error as Error).message, { cause: error })
  }
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(rules, name)
}

function checkValues(values: OptionValues): void {
  if (values.progress !== undefined && values.progress !== 'json') {
    throw new SnapError('usage', `--progress=${values.progress}: only --progress=json is known`)
  }
  const stall = values['stall-timeout']
  if (stall !== undefined && !/^[1-9][0-9]{0,5}$/.test(stall)) {
    throw new SnapError('usage', `--stall-timeout=${stall}: not a number of seconds from 1 on`)
  }
  const wrong = values.karg?.find((one) => !/^[\x21-\x7e]+$/.test(one))
  if (wrong !== undefined) {
    const found = `--karg ${JSON.stringify(wrong)}: not one word in ASCII`
    throw new SnapError('usage', `${found}; give --karg once for each`)
  }
  if (values.keep !== undefined && !/^[0-9]{1,3}$/.test(values.keep)) {
    throw new SnapError('usage', `--keep=${values.keep}: not a number of images`)
  }
  if (values.readonly && values['no-readonly']) {
    throw new SnapError('usage', '--readonly and --no-readonly contradict each other; give one')
  }
}
