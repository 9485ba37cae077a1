import * as z from 'zod'
import { nameSchema, positiveDurationSchema, urlSchema, wrong } from './scalar-schema.ts'
import { closed, complain, listOf, refuseTwice, wholeNumber } from './schema-forms.ts'
import { didYouMean } from './spelling.ts'
import type { Analysis, AnalysisProvider, Comparison } from './types.ts'

const comparisonPattern = /^(<=|>=|==|!=|<|>) ?(-?\d{1,24}(?:\.\d{1,24})?(?:e[+-]?\d{1,2})?)$/
const notComparison =
  'is not a comparison: <, <=, >, >=, == or !=, then a number, in quotes (for example "< 0.01")'

const comparisonSchema = z
  .string(wrong(notComparison))
  .regex(comparisonPattern, wrong(notComparison))
  .transform((written): Comparison => {
    const value = written.replace(/^[<>=!]+/, '')
    const operator = written.slice(0, -value.length) as Comparison['operator']
    return { operator, value: Number(value) + 0 }
  })

const notQuery = 'is not a query of 1 to 4096 characters'
const minIntervalMs = 10_000
const defaultIntervalMs = 300_000

const analysisSchema = closed({
  name: nameSchema,
  provider: nameSchema.describe(
    'prometheus, http, or the name of a check in the configuration of the controller.',
  ),
  query: z
    .string(wrong(notQuery))
    .min(1, wrong(notQuery))
    .max(4096, wrong(notQuery))
    .optional()
    .describe('For prometheus: PromQL with one number as its answer.'),
  success: comparisonSchema.optional().describe('For prometheus: what that number must be.'),
  url: urlSchema.optional().describe('For http: answers with a status from 200 to 299 when all is well.'),
  interval: positiveDurationSchema.optional().describe('Between two measurements, at least 10s; default 5m.'),
  failureLimit: wholeNumber({ min: 0, max: 1000 })
    .optional()
    .describe('More failed measurements than this fail the wave; default 0.'),
}).transform((written, context): Analysis => {
  const { name, interval = defaultIntervalMs, failureLimit = 0 } = written
  if (interval < minIntervalMs) {
    complain(context, { input: interval, path: ['interval'], message: 'is less than 10s' })
  }
  const provider = providerOf(written, context)
  return provider === null ? z.NEVER : { name, provider, intervalMs: interval, failureLimit }
})

type Written = {
  readonly provider: string
  readonly query?: string | undefined
  readonly success?: Comparison | undefined
  readonly url?: string | undefined
}

const ownFields: Readonly<Record<string, readonly ('query' | 'success' | 'url')[]>> = {
  prometheus: ['query', 'success'],
  http: ['url'],
}

function providerOf(written: Written, context: Parameters<typeof complain>[0]): AnalysisProvider | null {
  const { provider, query = '', success, url = '' } = written
  const wanted = (Object.hasOwn(ownFields, provider) ? ownFields[provider] : undefined) ?? []
  let isWhole = true
  for (const field of ['query', 'success', 'url'] as const) {
    const found = written[field] !== undefined
    if (found === wanted.includes(field)) continue
    isWhole = false
    const message = found
      ? `has no meaning for provider "${provider}"`
      : `is required for provider "${provider}"`
    const suggestion = found ? didYouMean(provider, Object.keys(ownFields)) : null
    complain(context, { input: written[field], path: [field], message, suggestion })
  }
  if (!isWhole) return null
  if (provider === 'prometheus' && success !== undefined) return { kind: 'prometheus', query, success }
  return provider === 'http' ? { kind: 'http', url } : { kind: 'named', check: provider }
}

export const analysesSchema = listOf(analysisSchema, 16).check((context) =>
  refuseTwice(context, { keyOf: ({ name }) => name, field: 'name', what: 'analysis' }),
)
