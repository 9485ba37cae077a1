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
} as const

type OptionName = keyof typeof options
export type OptionValues = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const anywhere: readonly OptionName[] = ['sysroot', 'json', 'verbose', 'help']

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
    throw new SnapError('usage', `${name} needs ${min} argument; container-snap --help shows which`)
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
  if (values.readonly && values['no-readonly']) {
    throw new SnapError('usage', '--readonly and --no-readonly contradict each other; give one')
  }
}
