import { reachesAll } from './amount.ts'
import { restWaveName } from './reserved-names.ts'
import {
  nameSchema,
  percentSchema,
  positiveAmountSchema,
  positiveDurationSchema,
  durationSchema,
} from './scalar-schema.ts'
import { closed, complain, flag, listOf, oneOf, refuseTwice, wholeNumber } from './schema-forms.ts'
import { selectorSchema } from './selector-schema.ts'
import type { Amount } from './types.ts'

const waveSchema = closed({
  name: nameSchema,
  upTo: positiveAmountSchema.describe(
    'Hosts, or share of the fleet, reached when this wave ends; cumulative.',
  ),
  selector: selectorSchema.optional().describe('Takes only hosts with these labels; default any.'),
  soak: durationSchema.optional().describe('How long the wave must stay healthy before the next; default 0.'),
  successThreshold: percentSchema
    .optional()
    .describe('Share of the attempted hosts that must succeed; default 0%: only failureLimit decides.'),
  maxSkippedShare: percentSchema
    .optional()
    .describe('More of the wave left behind silent pauses the rollout; default 20%.'),
  onEmpty: oneOf(['Block', 'Skip'])
    .optional()
    .describe('What a wave without any host does; default Block in the first wave, Skip later.'),
  approval: closed({
    required: flag().optional().describe('Default true.'),
    approvers: wholeNumber({ min: 1, max: 8 })
      .optional()
      .describe('So many different people must approve; default 1.'),
    expiresAfter: positiveDurationSchema.optional().describe('Then the rollout pauses; default 72h.'),
  })
    .optional()
    .describe('Whether somebody must approve when the wave is done; default no.'),
})

export const wavesSchema = listOf(waveSchema, 32)
  .min(1, 'at least one wave is needed')
  .check((context) => {
    refuseTwice(context, { keyOf: ({ name }) => name, field: 'name', what: 'wave' })
    for (const [index, wave] of context.value.entries()) {
      const reached = context.value.slice(0, index).find((earlier) => leavesNothing(earlier, wave.upTo))
      if (reached !== undefined) {
        const message = `reaches no host beyond wave "${reached.name}"; upTo is cumulative`
        complain(context, { input: wave, path: [index, 'upTo'], message })
      }
      if (wave.name !== restWaveName || (reachesAll(wave.upTo) && wave.selector === undefined)) continue
      const message = `"${restWaveName}" is the wave of all remaining hosts: it needs upTo: 100% and no selector`
      complain(context, { input: wave, path: [index, 'name'], message })
    }
  })

/** A wave with a selector may have found fewer hosts than it was allowed, so that another can take the rest. */
function leavesNothing(
  earlier: { readonly upTo: Amount; readonly selector?: unknown },
  later: Amount,
): boolean {
  return earlier.selector === undefined && notBeyond(later, earlier.upTo)
}

/** Counts and shares can only be compared when the size of the fleet is known; all of it is beyond nothing. */
function notBeyond(later: Amount, earlier: Amount): boolean {
  if (reachesAll(earlier)) return true
  if (later.kind === 'count' && earlier.kind === 'count') return later.count <= earlier.count
  return later.kind === 'percent' && earlier.kind === 'percent' && later.percent <= earlier.percent
}
