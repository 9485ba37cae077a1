import * as z from 'zod'
import { Amount, atMs, count } from './stored-parts.ts'

const Measured = z.object({
  analysis: z.string(),
  passed: count,
  failed: count,
  inconclusive: count,
  passedAfterSoak: z.boolean(),
  last: z.enum(['Passed', 'Failed', 'Inconclusive']).nullable(),
  detail: z.string(),
  dueInMs: z.number(),
})

const Order = z.object({ actor: z.string(), reason: z.string(), atMs })

const gate = z.enum(['Hosts', 'Failures', 'Soak', 'Analysis', 'Approval', 'Empty'])

const Promotion = z.object({ gate, actor: z.string(), reason: z.string(), atMs })

const Selector = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('all') }),
  z.object({
    kind: z.literal('match'),
    labels: z.record(z.string(), z.string()),
    expressions: z.array(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()),
      }),
    ),
  }),
])

export const Wave = z.object({
  name: z.string(),
  state: z.enum([
    'Pending',
    'Running',
    'WaitingWindow',
    'Soaking',
    'Analysing',
    'AwaitingApproval',
    'Succeeded',
    'Skipped',
    'Failed',
    'Cancelled',
  ]),
  size: count,
  lastOrderKey: z.string(),
  selector: Selector.nullable().default(null),
  soakMs: z.number(),
  soakedMs: z.number(),
  ranMs: z.number(),
  failureLimit: z.object({ max: Amount, minAttempted: count }),
  onFailure: z.enum(['Pause', 'Rollback']),
  /** Waves of controllers before Inconclusive was known, as are the grants below. */
  forgiven: count.default(0),
  /** Waves of controllers before there were these gates went on without them. */
  successThresholdPercent: z.number().default(0),
  maxSkippedPercent: z.number().default(100),
  onEmpty: z.enum(['Block', 'Skip']).default('Skip'),
  approval: z
    .object({ approvers: count.default(1), expiresAfterMs: z.number() })
    .nullable()
    .default(null),
  awaitedMs: z.number().default(0),
  approvals: z.array(Order).default([]),
  approved: Order.nullable().default(null),
  measured: z.array(Measured).default([]),
  promoted: Promotion.nullable().default(null),
  leavesBehind: z.boolean().default(false),
  forgivenFailures: count.default(0),
  forgivenRegressions: count.default(0),
  note: z.string().default(''),
})
