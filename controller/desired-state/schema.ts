import * as z from 'zod'
import { builtInStrategyName, reachesAll, restWaveName } from './strategy-defaults.ts'
import {
  amountSchema,
  checkNameSchema,
  digestSchema,
  durationSchema,
  labelKeySchema,
  labelValueSchema,
  nameSchema,
  positiveAmountSchema,
  positiveDurationSchema,
  repositorySchema,
  tagSchema,
  wrong,
} from './scalar-schema.ts'
import { hostReportedPrefix } from './label-selector.ts'
import type { Amount, ImageReference, LabelExpression, Selector } from './types.ts'

export const apiVersion = 'bootfleet.dev/v1alpha1'

/**
 * The message of an `unrecognized_keys` issue is the list of the known fields, for whoever renders it to
 * suggest from: zod does not carry them in the issue.
 */
function closed<Shape extends z.core.$ZodShape>(shape: Shape) {
  const known = Object.keys(shape).join(' ')
  const notMap = wrong('is not a map').error
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : notMap(issue)),
  })
}

function listOf<Item extends z.core.SomeType>(item: Item, max: number) {
  return z.array(item, wrong('is not a list')).max(max, `more than ${max} entries`)
}

function oneOf<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, wrong(`is not one of ${values.join(', ')}`))
}

const expressionSchema = closed({
  key: labelKeySchema,
  operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: listOf(labelValueSchema, 256).optional(),
})
  .check(({ value: { operator, values = [] }, issues }) => {
    const wantsValues = operator === 'In' || operator === 'NotIn'
    if (wantsValues === values.length > 0) return
    const message = `${operator} ${wantsValues ? 'needs at least one value' : 'takes no values'}`
    issues.push({ code: 'custom', input: values, path: ['values'], message })
  })
  .transform(({ key, operator, values = [] }): LabelExpression => ({ key, operator, values }))

const selectorSchema = closed({
  all: z.literal(true, wrong('is not true')).optional().describe('Every host.'),
  matchLabels: z.record(labelKeySchema, labelValueSchema, wrong('is not a map')).optional(),
  matchExpressions: listOf(expressionSchema, 64).optional(),
})
  .meta({ minProperties: 1, description: 'Which hosts belong to the fleet. Every host is { all: true }.' })
  .check(({ value: { all, matchLabels = {}, matchExpressions = [] }, issues }) => {
    const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)]
    const complain = (message: string) => issues.push({ code: 'custom', input: all, message })
    if (all === true && keys.length > 0)
      complain('"all" takes in every host: remove it, or the other conditions')
    if (all === true) return
    if (keys.length === 0) complain('an empty selector is not allowed; every host is written { all: true }')
    else if (keys.every((key) => key.startsWith(hostReportedPrefix))) {
      complain(
        `only labels under ${hostReportedPrefix}, which a host reports about itself, so that a host could choose its own fleet: add a label that an operator sets`,
      )
    }
  })
  .transform(({ all, matchLabels = {}, matchExpressions = [] }): Selector =>
    all === true ? { kind: 'all' } : { kind: 'match', labels: matchLabels, expressions: matchExpressions },
  )

const imageSchema = closed({
  repository: repositorySchema.describe('Registry host and path, without tag or digest.'),
  digest: digestSchema.optional().describe('Exactly this image.'),
  tag: tagSchema.optional().describe('Followed: resolved to a digest whenever it moves.'),
}).transform(({ repository, digest, tag }, context): ImageReference => {
  if (digest !== undefined && tag === undefined) return { kind: 'digest', repository, digest }
  if (tag !== undefined && digest === undefined) return { kind: 'tag', repository, tag }
  const message = `exactly one of digest and tag is needed, found ${tag === undefined ? 'neither' : 'both'}`
  context.issues.push({ code: 'custom', input: tag, message })
  return z.NEVER
})

const waveSchema = closed({
  name: nameSchema,
  upTo: positiveAmountSchema.describe(
    'Hosts, or share of the fleet, reached when this wave ends; cumulative.',
  ),
  soak: durationSchema.optional().describe('How long the wave must stay healthy before the next; default 0.'),
})

const wavesSchema = listOf(waveSchema, 32)
  .min(1, 'at least one wave is needed')
  .check(({ value, issues }) => {
    for (const [index, wave] of value.entries()) {
      const complain = (field: string, message: string) =>
        issues.push({ code: 'custom', input: value, path: [index, field], message })
      const earlier = value.slice(0, index)
      if (earlier.some(({ name }) => name === wave.name)) complain('name', `a second wave "${wave.name}"`)
      const reached = earlier.find(({ upTo }) => notBeyond(wave.upTo, upTo))
      if (reached !== undefined)
        complain('upTo', `reaches no host beyond wave "${reached.name}"; upTo is cumulative`)
      if (wave.name === restWaveName && !reachesAll(wave.upTo)) {
        complain('name', `"${restWaveName}" is the wave of all remaining hosts: it needs upTo: 100%`)
      }
    }
  })

/** Counts and shares can only be compared when the size of the fleet is known; all of it is beyond nothing. */
function notBeyond(later: Amount, earlier: Amount): boolean {
  if (reachesAll(earlier)) return true
  if (later.kind === 'count' && earlier.kind === 'count') return later.count <= earlier.count
  return later.kind === 'percent' && earlier.kind === 'percent' && later.percent <= earlier.percent
}

const failureLimitSchema = closed({
  max: amountSchema.optional().describe('Default 0 in the first wave and 2% later.'),
  minAttempted: z
    .int(wrong('is not a whole number'))
    .min(1, wrong('is less than 1'))
    .max(1_000_000, wrong('is more than 1000000'))
    .optional()
    .describe('Attempts before the limit counts, in waves after the first; default 1.'),
})

const deadlinesSchema = closed({
  download: positiveDurationSchema.optional().describe('Default 2h.'),
  activate: positiveDurationSchema.optional().describe('Default 20m.'),
  health: positiveDurationSchema.optional().describe('Default 10m.'),
  wave: positiveDurationSchema.optional().describe('Default 24h; hosts still silent then are left behind.'),
})

const healthSchema = closed({
  checks: listOf(checkNameSchema, 32)
    .optional()
    .describe('Programs under /usr/lib/bootfleet/checks of the booted image, run without arguments.'),
  stableFor: durationSchema.optional().describe('How long all checks must keep passing; default 0.'),
})

const metadataSchema = closed({ name: nameSchema })
const apiVersionSchema = z.literal(apiVersion, wrong(`is not ${apiVersion}`))

export const fleetSchema = closed({
  apiVersion: apiVersionSchema,
  kind: z.literal('Fleet'),
  metadata: metadataSchema,
  spec: closed({
    selector: selectorSchema,
    image: imageSchema,
    strategy: nameSchema.optional().describe(`Name of a RolloutStrategy; default "${builtInStrategyName}".`),
    suspend: z
      .boolean(wrong('is not true or false'))
      .optional()
      .describe('Grant nothing new; default false.'),
  }),
})

export const rolloutStrategySchema = closed({
  apiVersion: apiVersionSchema,
  kind: z.literal('RolloutStrategy'),
  metadata: metadataSchema,
  spec: closed({
    waves: wavesSchema.optional().describe('Default: 1 host, then 10%; all others form a last wave.'),
    maxUnavailable: amountSchema.optional().describe('Hosts that may be down at once; default 10%.'),
    failureLimit: failureLimitSchema.optional().describe('More failures than this stop the rollout.'),
    onFailure: oneOf(['Pause', 'Rollback'])
      .optional()
      .describe('Default Rollback in the first wave, Pause later.'),
    deadlines: deadlinesSchema.optional(),
    health: healthSchema.optional(),
  }),
})
