import * as z from 'zod'
import { maxCount, parseAmount, percentPattern } from './amount.ts'
import { durationPattern, maxDurationMs, parseDuration } from './duration.ts'
import {
  digestPattern,
  isRepository,
  maxRepositoryLength,
  repositoryPattern,
  tagPattern,
} from './image-reference.ts'
import { quote } from './issue.ts'
import { labelKeyPattern, labelValuePattern } from './label-selector.ts'

type Found = { readonly input?: unknown }

/** One text for each way a value can be wrong; a value that is not there at all is always said the same way. */
export function wrong(complaint: string): { readonly error: (found: Found) => string } {
  return { error: ({ input }) => (input === undefined ? 'is required' : `${quote(input)} ${complaint}`) }
}

export function word(pattern: RegExp, complaint: string) {
  return z.string(wrong(complaint)).regex(pattern, wrong(complaint))
}

/** A scalar with a meaning of its own: `parse` decides, the patterns only tell an editor. */
function meaning<T>(parse: (value: string | number) => T | null, complaint: string, forms: MeaningForms) {
  const written = z.union([z.number().meta(forms.number), z.string().meta({ pattern: forms.text.source })], {
    ...wrong(complaint),
  })
  return written.transform((value, context): T => {
    const parsed = parse(value)
    if (parsed !== null) return parsed
    context.issues.push({ code: 'custom', input: value, message: `${quote(value)} ${complaint}` })
    return z.NEVER
  })
}

type MeaningForms = { readonly number: Readonly<Record<string, unknown>>; readonly text: RegExp }

export const amountSchema = meaning(
  parseAmount,
  'is neither a count nor a percentage (for example 10 or "10%")',
  {
    number: { type: 'integer', minimum: 0, maximum: maxCount },
    text: percentPattern,
  },
)

/** For what would never move, or never end, at 0. */
export const positiveAmountSchema = amountSchema.check((context) => {
  const amount = context.value
  const size = amount.kind === 'count' ? amount.count : amount.percent
  if (size === 0)
    context.issues.push({ code: 'custom', input: amount, message: '0 is no host at all: write at least 1' })
})

const notDuration = `is not a duration of at most ${maxDurationMs / 86_400_000} days (for example 90s, 20m, 1h30m or 2d)`
const durationForms = { number: { type: 'integer', const: 0 }, text: durationPattern }

export const durationSchema = meaning(parseDuration, notDuration, durationForms)

export const positiveDurationSchema = durationSchema.check((context) => {
  if (context.value > 0) return
  context.issues.push({
    code: 'custom',
    input: context.value,
    message: '0 is no time at all: write at least 1s',
  })
})

export const nameSchema = word(
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  'is not a name: lower-case letters, digits and "-", at most 63, starting and ending with a letter or digit',
)

export const checkNameSchema = word(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  'is not the name of a health check: lower-case letters, digits and "-", at most 63; no path and no arguments',
)

export const unitNameSchema = word(
  /^[A-Za-z0-9:_.@\\-]{1,255}\.(?:service|socket|target|mount|timer|path)$/,
  'is not the name of a systemd unit: one with .service, .socket, .target, .mount, .timer or .path at its end',
)

/** No user and password fit in, so that no commit and no plan carries a secret. */
const urlPattern = /^https?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?][!"$-~]*)?$/
const notUrl =
  'is not an address to ask: http:// or https://, then host, port and path, at most 2048 characters, without user, password and "#"'

export const urlSchema = word(urlPattern, notUrl).max(2048, wrong(notUrl))

/** As machines call themselves; unlike other names it may have capitals, dots and underscores. */
export const hostNameSchema = word(
  /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
  'is not the name of a host: letters, digits, "-", "_" and ".", at most 253, starting and ending with a letter or digit',
)

/** Shown to people, on one line. */
export const reasonSchema = word(
  /^(?=.*\S)[^\p{Cc}\u2028\u2029]{1,200}$/u,
  'is not a reason: one line of 1 to 200 characters',
)

const notPercentage = 'is not a percentage from 0% to 100% (for example "90%")'

export const percentSchema = word(percentPattern, notPercentage).transform((written) =>
  Number(written.slice(0, -1)),
)

export const labelKeySchema = word(
  labelKeyPattern,
  'is not a label key (for example site or example.org/site)',
)

export const labelValueSchema = word(
  labelValuePattern,
  'is not a label value: at most 63 letters, digits, "-", "_" and "."; put numbers and true or false in quotes',
)

export const digestSchema = word(
  digestPattern,
  'is not a digest: "sha256:" and 64 lower-case hexadecimal digits',
)

export const tagSchema = word(
  tagPattern,
  'is not a tag: at most 128 letters, digits, "_", "." and "-"; put numbers in quotes',
)

const notRepository =
  'is not a repository: the registry\'s host, then a lower-case path, without tag or digest (for example "registry.example/os/edge")'

export const repositorySchema = z
  .string(wrong(notRepository))
  .refine(isRepository, wrong(notRepository))
  .meta({ pattern: repositoryPattern.source, maxLength: maxRepositoryLength })
