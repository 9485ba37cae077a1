import { labelKeyPattern, labelValuePattern } from '../controller/desired-state/label-selector.ts'
import type { LabelExpression, Selector } from '../controller/desired-state/types.ts'
import { CliError } from './errors.ts'

const FORMS =
  'write for example site=eu, site!=eu, "site in (eu,us)", "site notin (eu)", site or !site, with commas between'
/** A comma within parentheses belongs to a list of values. */
const BETWEEN = /,(?![^(]*\))/
const IN_LIST = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/
const COMPARED = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/

/** What kubectl takes after -l. @throws CliError BadUsage. */
export function parseLabelQuery(text: string): Selector {
  const expressions = text.split(BETWEEN).map((part) => checked(parsePart(part.trim()), text))
  return { kind: 'match', labels: {}, expressions }
}

function parsePart(part: string): LabelExpression | null {
  const [, listed, operator, values = ''] = IN_LIST.exec(part) ?? []
  if (listed !== undefined) {
    const all = values.split(',').map((value) => value.trim())
    return { key: listed, operator: operator === 'in' ? 'In' : 'NotIn', values: all }
  }
  const [, compared, sign, value = ''] = COMPARED.exec(part) ?? []
  if (compared !== undefined) {
    return { key: compared, operator: sign === '!=' ? 'NotIn' : 'In', values: [value] }
  }
  if (part.startsWith('!')) return { key: part.slice(1).trim(), operator: 'DoesNotExist', values: [] }
  return { key: part, operator: 'Exists', values: [] }
}

function checked(expression: LabelExpression | null, text: string): LabelExpression {
  const isGood =
    expression !== null &&
    labelKeyPattern.test(expression.key) &&
    expression.values.every((value) => labelValuePattern.test(value))
  if (isGood) return expression
  throw new CliError('BadUsage', `-l ${JSON.stringify(text)} is no selector of labels; ${FORMS}`)
}
