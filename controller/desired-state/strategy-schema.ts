import type * as z from 'zod'
import { analysesSchema } from './analysis-schema.ts'
import { maxCount } from './amount.ts'
import { healthSchema } from './health-schema.ts'
import {
  amountSchema,
  labelKeySchema,
  positiveAmountSchema,
  positiveDurationSchema,
} from './scalar-schema.ts'
import {
  closed,
  complain,
  growthFactor,
  listOf,
  manifestOf,
  oneOf,
  refuseTwice,
  someOf,
  wholeNumber,
} from './schema-forms.ts'
import { wavesSchema } from './wave-schema.ts'
import { windowsSchema } from './window-schema.ts'

const onFailureSchema = oneOf(['Pause', 'Rollback'])

const failureLimitSchema = closed({
  max: amountSchema.optional().describe('Default 0 in the first wave and 2% later.'),
  minAttempted: wholeNumber({ min: 1, max: maxCount })
    .optional()
    .describe('Attempts before the limit counts, in waves after the first; default 1.'),
})

const firstWaveSchema = closed({
  failureLimit: closed({ max: amountSchema }).optional().describe('Default failureLimit.max, or else 0.'),
  onFailure: onFailureSchema.optional().describe('Default onFailure, or else Rollback.'),
})

const deadlinesSchema = closed({
  download: positiveDurationSchema.optional().describe('Default 2h.'),
  activate: positiveDurationSchema.optional().describe('Default 20m.'),
  health: positiveDurationSchema.optional().describe('Default 10m.'),
  wave: positiveDurationSchema.optional().describe('Default 24h; hosts still silent then are left behind.'),
})

const perMinute = () => wholeNumber({ min: 1, max: maxCount })

const rateSchema = closed({
  basePerMinute: perMinute().describe('Activations a minute at first.'),
  factor: growthFactor()
    .optional()
    .describe('How much more after each ten minutes of hosts that succeeded; default 2.'),
  maxPerMinute: perMinute().optional().describe('Default 200, or basePerMinute if that is more.'),
}).check((context) => {
  const { basePerMinute, maxPerMinute = basePerMinute } = context.value
  if (maxPerMinute >= basePerMinute) return
  complain(context, { input: maxPerMinute, path: ['maxPerMinute'], message: 'is less than basePerMinute' })
})

const rollbackSchema = closed({
  scope: oneOf(['UpdatedHosts', 'FailedOnly'])
    .optional()
    .describe('Which hosts go back to what was proven last; default UpdatedHosts.'),
  maxUnavailable: positiveAmountSchema
    .optional()
    .describe('Hosts down at once on the way back; default 20%.'),
  windows: oneOf(['Respect', 'Ignore']).optional().describe('Default Respect.'),
})

const budgetsSchema = listOf(
  closed({
    topologyKey: labelKeySchema.describe('A label, for example rack.'),
    maxUnavailable: positiveAmountSchema.describe('Of the hosts with the same value of that label.'),
  }),
  16,
).check((context) =>
  refuseTwice(context, { keyOf: ({ topologyKey }) => topologyKey, field: 'topologyKey', what: 'budget for' }),
)

const defaultBaseMs = 60_000

const downloadsSchema = closed({
  maxConcurrent: wholeNumber({ min: 1, max: 100_000 }).optional().describe('Default 50.'),
  prefetch: oneOf(['NextWave', 'None'])
    .optional()
    .describe('Whether the next wave downloads while this one proves itself; default NextWave.'),
})

const retrySchema = closed({
  limit: wholeNumber({ min: 0, max: 10 }).optional().describe('Attempts beyond the first; default 2.'),
  on: someOf(['Download', 'Stage']).optional().describe('Steps that are tried again; default both.'),
  backoff: closed({
    base: positiveDurationSchema.optional().describe('Default 1m.'),
    factor: growthFactor().optional().describe('Default 2.'),
    max: positiveDurationSchema.optional().describe('Default 30m, or base if that is longer.'),
  })
    .check((context) => {
      const { base = defaultBaseMs, max = base } = context.value
      if (max < base) complain(context, { input: max, path: ['max'], message: 'is less than base' })
    })
    .optional(),
})

const strategySpecSchema = closed({
  waves: wavesSchema.optional().describe('Default: 1 host, then 10%; all others form a last wave.'),
  analysis: analysesSchema.optional().describe('What must be measured well in each wave; default nothing.'),
  rate: rateSchema.optional().describe('Growing rate of activations; default as fast as other limits allow.'),
  maxUnavailable: amountSchema.optional().describe('Hosts that may be down at once; default 10%.'),
  failureLimit: failureLimitSchema.optional().describe('More failures than this stop the rollout.'),
  onFailure: onFailureSchema.optional().describe('Default Rollback in the first wave, Pause later.'),
  firstWave: firstWaveSchema.optional().describe('What holds in the first wave instead.'),
  rollback: rollbackSchema.optional(),
  budgets: budgetsSchema.optional().describe('Limits by site, rack or the like; default none.'),
  downloads: downloadsSchema.optional(),
  windows: windowsSchema.optional().describe('When hosts may be touched; default always.'),
  deadlines: deadlinesSchema.optional(),
  health: healthSchema.optional(),
  retry: retrySchema.optional(),
})

/** What a user may write of a strategy; every field may be missing. */
export type WrittenStrategy = z.output<typeof strategySpecSchema>

export const rolloutStrategySchema = manifestOf('RolloutStrategy', strategySpecSchema)
