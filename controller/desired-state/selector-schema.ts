import * as z from 'zod'
import { hostReportedPrefix } from './label-selector.ts'
import { labelKeySchema, labelValueSchema, wrong } from './scalar-schema.ts'
import { closed, complain, listOf, oneOf } from './schema-forms.ts'
import type { LabelExpression, Selector } from './types.ts'

const expressionSchema = closed({
  key: labelKeySchema,
  operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: listOf(labelValueSchema, 256).optional(),
})
  .check((context) => {
    const { operator, values = [] } = context.value
    const wantsValues = operator === 'In' || operator === 'NotIn'
    if (wantsValues === values.length > 0) return
    const message = `${operator} ${wantsValues ? 'needs at least one value' : 'takes no values'}`
    complain(context, { input: values, path: ['values'], message })
  })
  .transform(({ key, operator, values = [] }): LabelExpression => ({ key, operator, values }))

/** Never empty, in any kind: the most dangerous set of hosts must be spelled out. */
export const selectorSchema = closed({
  all: z.literal(true, wrong('is not true')).optional().describe('Every host.'),
  matchLabels: z.record(labelKeySchema, labelValueSchema, wrong('is not a map')).optional(),
  matchExpressions: listOf(expressionSchema, 64).optional(),
})
  .meta({ minProperties: 1, description: 'Hosts, by their labels. Every host is { all: true }.' })
  .check((context) => {
    const { all, matchLabels = {}, matchExpressions = [] } = context.value
    const conditions = Object.keys(matchLabels).length + matchExpressions.length
    const message =
      all === true
        ? '"all" takes in every host: remove it, or the other conditions'
        : 'an empty selector is not allowed; every host is written { all: true }'
    if ((all === true) === conditions > 0) complain(context, { input: all, message })
  })
  .transform(({ all, matchLabels = {}, matchExpressions = [] }): Selector =>
    all === true ? { kind: 'all' } : { kind: 'match', labels: matchLabels, expressions: matchExpressions },
  )

/** Of a fleet: there a compromised host must not be able to choose its own. */
export const fleetSelectorSchema = selectorSchema.check((context) => {
  const selector = context.value
  if (selector.kind === 'all') return
  const keys = [...Object.keys(selector.labels), ...selector.expressions.map(({ key }) => key)]
  if (!keys.every((key) => key.startsWith(hostReportedPrefix))) return
  const message = `only labels under ${hostReportedPrefix}, which a host reports about itself, so that a host could choose its own fleet: add a label that an operator sets`
  complain(context, { input: selector, message })
})
