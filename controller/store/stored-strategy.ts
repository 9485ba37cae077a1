import * as z from 'zod'
import { Amount, count } from './stored-parts.ts'

/** What was wanted of hosts; controllers before the defaults here knew only checks and stableForMs. */
export const WantedHealth = z.object({
  units: z.array(z.string()).default([]),
  http: z.array(z.object({ url: z.string() })).default([]),
  checks: z.array(z.string()),
  greenboot: z.boolean().default(true),
  reachController: z.boolean().default(true),
  stableForMs: z.number(),
})

export const Retry = z.object({
  limit: count,
  on: z.array(z.enum(['Download', 'Stage'])),
  backoff: z.object({ baseMs: z.number(), factor: z.number(), maxMs: z.number() }),
})

const Comparison = z.object({
  operator: z.enum(['<', '<=', '>', '>=', '==', '!=']),
  value: z.number(),
})

export const Analysis = z.object({
  name: z.string(),
  provider: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('prometheus'), query: z.string(), success: Comparison }),
    z.object({ kind: z.literal('http'), url: z.string() }),
    z.object({ kind: z.literal('named'), check: z.string() }),
  ]),
  intervalMs: z.number(),
  failureLimit: count,
})

/** As it was before it could be chosen. */
export const anyRollback = {
  scope: 'UpdatedHosts',
  maxUnavailable: { kind: 'percent', percent: 20 },
  windows: 'Respect',
} as const

export const Rollback = z.object({
  scope: z.enum(['UpdatedHosts', 'FailedOnly']),
  maxUnavailable: Amount,
  windows: z.enum(['Respect', 'Ignore']),
})
