import { checkNameSchema, durationSchema, unitNameSchema, urlSchema } from './scalar-schema.ts'
import { closed, complain, flag, listOf } from './schema-forms.ts'

/** Leaves room for the rest of a plan, which travels in one small signed envelope. */
const maxHealthLength = 16_384

export const healthSchema = closed({
  units: listOf(unitNameSchema, 64)
    .optional()
    .describe('systemd units of the booted image that must be active; default none.'),
  http: listOf(closed({ url: urlSchema }), 16)
    .optional()
    .describe('Addresses that must answer with a status from 200 to 399 on the host; default none.'),
  checks: listOf(checkNameSchema, 32)
    .optional()
    .describe('Programs under /usr/lib/bootfleet/checks of the booted image, run without arguments.'),
  greenboot: flag()
    .optional()
    .describe('Run the scripts in the directories of greenboot, where the image has them; default true.'),
  reachController: flag()
    .optional()
    .describe('Controller, NATS or registry must be reachable after the boot; default true.'),
  stableFor: durationSchema.optional().describe('How long all checks must keep passing; default 0.'),
}).check((context) => {
  const { units = [], http = [], checks = [] } = context.value
  const written = [...units, ...http.map(({ url }) => url), ...checks].join('').length
  if (written <= maxHealthLength) return
  const message = `units, addresses and checks are ${written} characters together, and the limit is ${maxHealthLength}`
  complain(context, { input: context.value, message })
})
