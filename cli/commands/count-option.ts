import { InvalidArgumentError, Option } from '@commander-js/extra-typings'

const COUNT_MAX = 1_000

/** Of the newest entries of a log. */
export function countOption(
  description: string,
): Option<'-n, --limit <count>', undefined, 20, undefined, false, number> {
  return new Option('-n, --limit <count>', description).argParser(parseCount).default(20)
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= COUNT_MAX) return Number(text)
  throw new InvalidArgumentError(`write a number from 1 to ${COUNT_MAX}.`)
}
