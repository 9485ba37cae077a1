import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Selector } from '../../controller/desired-state/types.ts'
import { CliError } from '../errors.ts'
import { parseLabelQuery } from '../label-query.ts'

/** Every command that lists hosts, or counts them, takes it. */
export function selectorOption(
  about: string,
): Option<'-l, --selector <labels>', undefined, undefined, Selector> {
  return new Option('-l, --selector <labels>', about).argParser(parseLabels)
}

function parseLabels(text: string): Selector {
  try {
    return parseLabelQuery(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof CliError ? error.message : String(error))
  }
}
