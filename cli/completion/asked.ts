import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings'

export type Candidate = { readonly value: string; readonly about: string }

/** What the controller knows names of, and contexts, which this machine knows. */
export type LiveType = 'fleet' | 'host' | 'rollout' | 'context'

/** What may stand where the cursor is. */
export type Asked = {
  readonly candidates: readonly Candidate[]
  readonly live: readonly LiveType[]
  /** As TYPE/NAME; else the name alone. */
  readonly isQualified: boolean
  /** What stands before each within the same word. */
  readonly prefix: string
  /** Typed so far, without the prefix. */
  readonly partial: string
  /** What was written after --context. */
  readonly context: string | undefined
}

type Place = {
  readonly command: CommandUnknownOpts
  readonly positionals: readonly string[]
  /** The option whose value comes next. */
  readonly option: Option | null
  readonly context: string | undefined
}

const liveTypeOf: Readonly<Record<string, LiveType>> = {
  fleet: 'fleet',
  fleets: 'fleet',
  host: 'host',
  hosts: 'host',
  rollout: 'rollout',
  rollouts: 'rollout',
}
const liveOfOption: Readonly<Record<string, Found>> = {
  '--context': { candidates: [], live: ['context'], isQualified: false },
  '--fleet': { candidates: [], live: ['fleet'], isQualified: false },
  '--for': { candidates: [], live: ['fleet', 'host', 'rollout'], isQualified: true },
  '--host': { candidates: [], live: ['host'], isQualified: false },
}
/** By command and argument: which objects it takes. */
const liveOfArgument: Readonly<Record<string, readonly LiveType[]>> = {
  'describe object': ['fleet', 'host', 'rollout'],
  'trace object': ['fleet', 'host'],
  'resume target': ['fleet', 'rollout', 'host'],
  'retry target': ['fleet', 'rollout', 'host'],
}
const nothing = { candidates: [], live: [], isQualified: false } as const

/** `words` are those after the program's name, up to the cursor; the last one is what is being written. */
export function askedAt(program: CommandUnknownOpts, words: readonly string[]): Asked {
  const typed = withoutSigns(words)
  const partial = typed.at(-1) ?? ''
  const place = placeAfter(program, typed.slice(0, -1))
  const [name, value] = partial.startsWith('--') ? split(partial) : [partial]
  const inline = value === undefined ? null : optionNamed(place.command, name)
  if (inline !== null) {
    return { ...valuesOf(inline), prefix: `${name}=`, partial: value ?? '', context: place.context }
  }
  return { ...at(place, partial), prefix: '', partial, context: place.context }
}

/** Bash makes a word of its own of the sign in --fleet=edge. */
function withoutSigns(words: readonly string[]): readonly string[] {
  const typed = words.filter((word, index) => word !== '=' || !(words[index - 1] ?? '').startsWith('--'))
  const isAfterSign = words.at(-1) === '=' && typed.length < words.length && typed.length > 0
  return isAfterSign && typed.at(-1)?.startsWith('--') ? [...typed, ''] : typed
}

function split(word: string): readonly [string, string?] {
  const sign = word.indexOf('=')
  return sign === -1 ? [word] : [word.slice(0, sign), word.slice(sign + 1)]
}

function placeAfter(program: CommandUnknownOpts, words: readonly string[]): Place {
  let place: Place = { command: program, positionals: [], option: null, context: undefined }
  for (const word of words) place = step(place, word)
  return place
}

function step(place: Place, word: string): Place {
  const { command, option, positionals } = place
  if (option !== null) {
    const context = option.long === '--context' ? word : place.context
    return { ...place, option: null, context }
  }
  if (word.startsWith('-')) {
    const [name, value] = split(word)
    const found = optionNamed(command, name)
    if (found?.long === '--context' && value !== undefined) return { ...place, context: value }
    const takesMore = found !== null && value === undefined && (found.required || found.optional)
    return { ...place, option: takesMore ? found : null }
  }
  const inner = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
  if (inner !== undefined && positionals.length === 0) return { ...place, command: inner }
  return { ...place, positionals: [...positionals, word] }
}

function optionNamed(command: CommandUnknownOpts, name: string): Option | null {
  for (let at: CommandUnknownOpts | null = command; at !== null; at = at.parent) {
    const found = at.options.find(({ long, short }) => long === name || short === name)
    if (found !== undefined) return found
  }
  return null
}

type Found = Pick<Asked, 'candidates' | 'isQualified' | 'live'>

function valuesOf({ argChoices, long }: Option): Found {
  const live = liveOfOption[long ?? '']
  if (live !== undefined) return live
  return { ...nothing, candidates: (argChoices ?? []).map((value) => ({ value, about: '' })) }
}

function at({ command, option, positionals }: Place, partial: string): Found {
  if (option !== null) return valuesOf(option)
  const help = command.createHelp()
  if (partial.startsWith('-')) {
    const candidates = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
    return {
      ...nothing,
      candidates: [
        ...candidates.map(({ description, long }) => ({ value: long ?? '', about: description })),
        ...(command.parent === null ? [] : [{ value: '--context', about: 'how to reach the controller' }]),
      ],
    }
  }
  if (positionals.length > 0) return objectsFor(command, positionals)
  const inner = help.visibleCommands(command).map((each) => {
    return { value: each.name(), about: each.description() }
  })
  const objects = objectsFor(command, positionals)
  return { ...objects, candidates: [...inner, ...objects.candidates] }
}

function objectsFor(command: CommandUnknownOpts, positionals: readonly string[]): Found {
  const { registeredArguments } = command
  const last = registeredArguments.at(-1)
  const argument = registeredArguments[positionals.length] ?? (last?.variadic === true ? last : undefined)
  if (argument === undefined) return nothing
  if (argument.argChoices !== undefined) {
    return { ...nothing, candidates: argument.argChoices.map((value) => ({ value, about: '' })) }
  }
  // `host till-17` is the same as `host/till-17`.
  const type = liveTypeOf[positionals.at(-1) ?? '']
  if (type !== undefined && (argument.variadic || argument.name() === 'name'))
    return { ...nothing, live: [type] }
  if (positionals.length > 0) return nothing
  return liveFor(command.name(), argument.name())
}

function liveFor(command: string, argument: string): Found {
  const known = liveOfArgument[`${command} ${argument}`]
  if (known !== undefined) return { ...nothing, live: known, isQualified: true }
  switch (argument) {
    case 'fleet':
    case 'context':
      return { ...nothing, live: [argument] }
    case 'host':
      return { ...nothing, live: ['host'], isQualified: true }
    case 'target':
      return { ...nothing, live: ['fleet', 'rollout'], isQualified: true }
    case 'fleet-and-digest':
      return { ...nothing, live: ['fleet'], isQualified: true }
    default:
      return nothing
  }
}
