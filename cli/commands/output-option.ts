import { Option } from '@commander-js/extra-typings'

/** Every command that prints objects takes it. */
export function outputOption<Extra extends string = never>(
  ...extra: Extra[]
): Option<'-o, --output <format>', undefined, 'table', undefined, false, 'table' | 'json' | 'yaml' | Extra> {
  const choices: ('table' | 'json' | 'yaml' | Extra)[] = ['table', 'json', 'yaml', ...extra]
  return new Option('-o, --output <format>', 'how to print it').choices(choices).default('table' as const)
}
