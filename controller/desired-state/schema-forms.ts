import * as z from 'zod'
import { nameSchema, wrong } from './scalar-schema.ts'

export const apiVersion = 'bootfleet.dev/v1alpha1'

/**
 * The message of an `unrecognized_keys` issue is the list of the known fields, for whoever renders it to
 * suggest from: zod does not carry them in the issue.
 */
export function closed<Shape extends z.core.$ZodShape>(shape: Shape) {
  const known = Object.keys(shape).join(' ')
  const notMap = wrong('is not a map').error
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : notMap(issue)),
  })
}

/** What every document begins with. */
export function manifestOf<const Kind extends string, Spec extends z.core.$ZodType>(
  kind: Kind,
  spec: Spec,
  name = nameSchema,
) {
  return closed({
    apiVersion: z.literal(apiVersion, wrong(`is not ${apiVersion}`)),
    kind: z.literal(kind),
    metadata: closed({ name }),
    spec,
  })
}

export function listOf<Item extends z.core.SomeType>(item: Item, max: number) {
  return z.array(item, wrong('is not a list')).max(max, `more than ${max} entries`)
}

export function oneOf<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, wrong(`is not one of ${values.join(', ')}`))
}

/** Some of the values, at least one; in which order, and how often each is written, means nothing. */
export function someOf<const Value extends string>(values: readonly Value[]) {
  return z
    .array(oneOf(values), wrong('is not a list'))
    .min(1, `an empty list would never be met: write one or more of ${values.join(', ')}, or leave it out`)
    .transform((written): readonly Value[] =>
      values.filter((value) => written.some((each) => each === value)),
    )
}

export function flag() {
  return z.boolean(wrong('is not true or false'))
}

export function wholeNumber(bounds: { readonly min: number; readonly max: number }) {
  return z
    .int(wrong('is not a whole number'))
    .min(bounds.min, wrong(`is less than ${bounds.min}`))
    .max(bounds.max, wrong(`is more than ${bounds.max}`))
}

/** How much one thing grows from one time to the next. */
export function growthFactor() {
  return z.number(wrong('is not a number')).min(1, wrong('is less than 1')).max(10, wrong('is more than 10'))
}

type Context = { readonly issues: z.core.$ZodRawIssue[] }

type Complaint = {
  readonly input: unknown
  readonly message: string
  readonly path?: PropertyKey[]
  readonly suggestion?: string | null
  /** What of the last step of the path is wrong. */
  readonly part?: 'key' | 'value'
}

export function complain(
  context: Context,
  { input, message, path = [], suggestion = null, part = 'value' }: Complaint,
): void {
  context.issues.push({ code: 'custom', input, message, path, params: { suggestion, part } })
}

/** Complains of every entry whose key another one before it has. */
export function refuseTwice<Entry>(
  context: Context & { readonly value: readonly Entry[] },
  { keyOf, field, what }: { keyOf: (entry: Entry) => string; field: string | null; what: string },
): void {
  const seen = new Set<string>()
  for (const [index, entry] of context.value.entries()) {
    const key = keyOf(entry)
    if (seen.has(key)) {
      complain(context, {
        input: key,
        message: `a second ${what} "${key}"`,
        path: field === null ? [index] : [index, field],
      })
    }
    seen.add(key)
  }
}
