import { CliError } from './errors.ts'

const singularOf: Readonly<Record<string, string>> = {
  host: 'host',
  hosts: 'host',
  fleet: 'fleet',
  fleets: 'fleet',
  rollout: 'rollout',
  rollouts: 'rollout',
  request: 'request',
  requests: 'request',
  operator: 'operator',
  operators: 'operator',
}

/** `type` null: only a name was written. */
export type Target<Type extends string> = { readonly type: Type | null; readonly name: string }

/** `host/till-17`, `host till-17` and, where only one type of thing can be meant, `till-17`. */
export function parseTarget<Type extends string>(
  command: string,
  words: readonly string[],
  types: readonly Type[],
): Target<Type> {
  const [first = '', second, ...rest] = words
  const slash = first.indexOf('/')
  const parts = slash === -1 ? [first, second] : [first.slice(0, slash), first.slice(slash + 1)]
  const isAlone = slash === -1 && second === undefined
  const surplus = slash === -1 ? rest.length > 0 : second !== undefined
  const [type, name = ''] = isAlone ? [null, first] : parts
  const known = type === null ? null : types.find((each) => each === singularOf[type ?? ''])
  if (known !== undefined && name !== '' && !surplus) return { type: known, name }
  const forms = types.map((each) => `${each}/NAME`).join(' or ')
  throw new CliError('BadUsage', `${command} takes ${forms} (or TYPE NAME), not "${words.join(' ')}"`)
}
