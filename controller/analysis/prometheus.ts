import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import type { AnalysisProvider, Comparison } from '../desired-state/types.ts'
import { withTimeLimit } from '../time-limit.ts'
import type { AnalysisConfig } from './analysis-config.ts'
import { reasonOf } from './http.ts'
import type { AnalysisHttp, Answer } from './http.ts'
import { failed, inconclusive, passed } from './outcome.ts'
import type { Outcome } from './outcome.ts'

type Settings = NonNullable<AnalysisConfig['prometheus']>
type Query = Extract<AnalysisProvider, { readonly kind: 'prometheus' }>

const BODY_MAX_BYTES = 1024 * 1024
const SAMPLES_SHOWN = 3

const Sample = z.tuple([z.number(), z.string()])
const Reply = z.union([
  z.object({
    status: z.literal('success'),
    data: z.discriminatedUnion('resultType', [
      z.object({ resultType: z.literal('scalar'), result: Sample }),
      z.object({
        resultType: z.literal('vector'),
        // A native histogram has no value of its own.
        result: z.array(
          z.object({ metric: z.record(z.string(), z.string()).default({}), value: Sample.optional() }),
        ),
      }),
      z.object({ resultType: z.enum(['matrix', 'string']) }),
    ]),
  }),
  z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() }),
])

/** An instant query; every sample of a vector must pass. What holds no number proves nothing. */
export async function measurePrometheus(
  { query, success }: Query,
  settings: Settings | undefined,
  { http, signal }: { readonly http: AnalysisHttp; readonly signal: AbortSignal },
): Promise<Outcome> {
  if (settings === undefined) {
    return inconclusive(
      'no Prometheus is configured; set analysis.prometheus.address in the controller’s configuration',
    )
  }
  const token = await tokenOf(settings)
  if (token === null) {
    return inconclusive(`reading the token of Prometheus: ${settings.tokenFile ?? ''} cannot be read`)
  }
  const where = new URL(settings.address)
  const base = `${where.origin}${where.pathname.replace(/\/+$/, '')}`
  try {
    const answer = await withTimeLimit(signal, settings.timeout, (bounded) =>
      http.send({
        url: `${base}/api/v1/query`,
        method: 'POST',
        headers: { ...settings.headers, ...token, 'content-type': 'application/x-www-form-urlencoded' },
        form: new URLSearchParams({ query }).toString(),
        maxBodyBytes: BODY_MAX_BYTES,
        signal: bounded,
      }),
    )
    return judge(answer, base, success)
  } catch (error) {
    signal.throwIfAborted()
    return inconclusive(`asking Prometheus at ${base}: ${reasonOf(error)}; check the address and the network`)
  }
}

/** Null: there is a file, and it cannot be read. */
async function tokenOf({ tokenFile }: Settings): Promise<Record<string, string> | null> {
  if (tokenFile === undefined) return {}
  const token = await readFile(tokenFile, 'utf8').catch(() => null)
  return token === null ? null : { authorization: `Bearer ${token.trim()}` }
}

function judge({ status, body }: Answer, base: string, success: Comparison): Outcome {
  const asked = `asking Prometheus at ${base}`
  if (body === null) return inconclusive(`${asked}: the answer is too large; let the query aggregate`)
  const reply = Reply.safeParse(fromJson(body))
  if (!reply.success) return inconclusive(`${asked}: status ${status} with an answer that is none of its API`)
  if (reply.data.status === 'error') {
    return inconclusive(`${asked}: ${reply.data.errorType}: ${reply.data.error}`)
  }
  const { data } = reply.data
  switch (data.resultType) {
    case 'scalar':
      return judgeSamples([{ name: '', text: data.result[1] }], success)
    case 'vector':
      return judgeSamples(
        data.result.map(({ metric, value }) => ({ name: nameOf(metric), text: value?.[1] ?? 'a histogram' })),
        success,
      )
    case 'matrix':
    case 'string':
      return inconclusive(`${asked}: the query gives a ${data.resultType}; it must give a scalar or a vector`)
  }
}

type Sample = { readonly name: string; readonly text: string }

function judgeSamples(samples: readonly Sample[], success: Comparison): Outcome {
  if (samples.length === 0) {
    return inconclusive('the query found no data; is it right, and is there traffic?')
  }
  const wanted = `wanted ${success.operator} ${success.value}`
  const values = samples.map((sample) => ({ ...sample, value: numberOf(sample.text) }))
  const unknown = values.filter(({ value }) => Number.isNaN(value))
  const unwanted = values.filter(({ value }) => !Number.isNaN(value) && !compare(value, success))
  // One sample that failed is enough, whatever the others hide.
  if (unwanted.length > 0) return failed(`${shownSamples(unwanted)}, ${wanted}`)
  if (unknown.length > 0) return inconclusive(`${shownSamples(unknown)} is no number, ${wanted}`)
  return passed(`${shownSamples(values)}, ${wanted}`)
}

function shownSamples(samples: readonly Sample[]): string {
  const shown = samples.slice(0, SAMPLES_SHOWN).map(({ name, text }) => `${name}${name && ' '}${text}`)
  const more = samples.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function nameOf(metric: Readonly<Record<string, string>>): string {
  const labels = Object.entries(metric).filter(([key]) => key !== '__name__')
  return labels.length === 0 ? '' : `{${labels.map(([key, value]) => `${key}="${value}"`).join(', ')}}`
}

/** As Prometheus writes numbers. */
function numberOf(text: string): number {
  if (text === '+Inf') return Infinity
  if (text === '-Inf') return -Infinity
  return text.trim() === '' ? NaN : Number(text)
}

function compare(found: number, { operator, value }: Comparison): boolean {
  switch (operator) {
    case '<':
      return found < value
    case '<=':
      return found <= value
    case '>':
      return found > value
    case '>=':
      return found >= value
    case '==':
      return found === value
    case '!=':
      return found !== value
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
