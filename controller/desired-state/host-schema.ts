import * as z from 'zod'
import {
  KERNEL_ARGUMENTS_MAX,
  KERNEL_ARGUMENTS_MAX_BYTES,
  refusedKernelArgument,
  withoutRepeats,
} from '../../proto/kernel-arguments.ts'
import { hostReportedPrefix } from './label-selector.ts'
import {
  digestSchema,
  hostNameSchema,
  labelKeySchema,
  labelValueSchema,
  nameSchema,
  reasonSchema,
  wrong,
} from './scalar-schema.ts'
import { closed, complain, flag, listOf, manifestOf } from './schema-forms.ts'
import { selectorSchema } from './selector-schema.ts'
import { localTimeSchema, timeZoneSchema } from './time-schema.ts'
import { localToInstant } from './zone.ts'

const labelsSchema = z.record(labelKeySchema, labelValueSchema, wrong('is not a map')).check((context) => {
  const keys = Object.keys(context.value)
  if (keys.length > 64) complain(context, { input: context.value, message: 'more than 64 labels' })
  for (const key of keys.filter((each) => each.startsWith(hostReportedPrefix))) {
    const message = `labels under ${hostReportedPrefix} are what a host reports about itself: take another prefix, or none`
    complain(context, { input: key, path: [key], part: 'key', message })
  }
})

const holdSchema = closed({
  until: localTimeSchema.optional().describe('Local time of the zone; default until it is removed here.'),
  timeZone: timeZoneSchema.optional(),
  reason: reasonSchema,
}).transform(({ until, timeZone, reason }, context) => {
  if ((until === undefined) !== (timeZone === undefined)) {
    const path = [timeZone === undefined ? 'timeZone' : 'until']
    complain(context, { input: until, path, message: 'is required: until and timeZone belong together' })
    return z.NEVER
  }
  const untilMs = until === undefined || timeZone === undefined ? null : localToInstant(until, timeZone)
  return { untilMs, reason }
})

const kernelArgumentsSchema = listOf(
  z.string(wrong('is not a text')).check((context) => {
    const message = refusedKernelArgument(context.value)
    if (message !== null) complain(context, { input: context.value, message })
  }),
  KERNEL_ARGUMENTS_MAX,
)
  .check((context) => {
    const length = context.value.join(' ').length
    if (length <= KERNEL_ARGUMENTS_MAX_BYTES) return
    const message = `has ${length} characters in all, and at most ${KERNEL_ARGUMENTS_MAX_BYTES} fit in a plan: shorten them, or put what all hosts need in the image (/usr/lib/bootc/kargs.d)`
    complain(context, { input: context.value, message })
  })
  .transform(withoutRepeats)

export const hostSchema = manifestOf(
  'Host',
  closed({
    labels: labelsSchema.optional().describe('Win over those of the enrolment; default none.'),
    pin: digestSchema.optional().describe('Runs instead of the image of its fleet, in the same repository.'),
    kernelArguments: kernelArgumentsSchema
      .optional()
      .describe("For its kernel's line, between the image's and the machine's own; default none."),
    allowUnguardedBoot: flag()
      .optional()
      .describe(
        'True: updated although its boot loader cannot count tries, so that nothing leads back from an image that does not boot; default false.',
      ),
    hold: holdSchema.optional().describe('Keeps what it runs; default no hold.'),
  }),
  hostNameSchema,
)

export const freezeSchema = manifestOf(
  'Freeze',
  closed({
    from: localTimeSchema,
    to: localTimeSchema,
    timeZone: timeZoneSchema,
    selector: selectorSchema.describe('Which hosts. Every host is { all: true }.'),
    except: listOf(nameSchema, 64).optional().describe('Strategies that it does not hold; default none.'),
  }).transform(({ from, to, timeZone, selector, except = [] }, context) => {
    const [fromMs, toMs] = [localToInstant(from, timeZone), localToInstant(to, timeZone)]
    if (toMs > fromMs) return { fromMs, toMs, selector, except }
    complain(context, { input: to, path: ['to'], message: 'is not after from' })
    return z.NEVER
  }),
)
