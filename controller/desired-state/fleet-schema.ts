import * as z from 'zod'
import { validRange } from 'semver'
import { builtInStrategyName } from './reserved-names.ts'
import {
  digestSchema,
  durationSchema,
  nameSchema,
  reasonSchema,
  repositorySchema,
  tagSchema,
  word,
  wrong,
} from './scalar-schema.ts'
import { closed, complain, flag, listOf, manifestOf, oneOf, refuseTwice } from './schema-forms.ts'
import { fleetSelectorSchema } from './selector-schema.ts'
import type { Barrier, ImageReference } from './types.ts'
import { verifySchema } from './verify-schema.ts'

const notRange =
  'is not a range of versions as npm reads them (for example "42.x" or ">=1.2.0 <2"); put numbers in quotes'

const rangeSchema = z
  .string(wrong(notRange))
  .min(1, wrong(notRange))
  .max(256, wrong(notRange))
  .refine((range) => validRange(range) !== null, wrong(notRange))

const followedFleetSchema = closed({
  fleet: nameSchema.describe('Of the same desired state.'),
  succeededFor: durationSchema.optional().describe('How long its rollout must have succeeded; default 0.'),
})

const imageSchema = closed({
  repository: repositorySchema.optional().describe('Registry host and path, without tag or digest.'),
  digest: digestSchema.optional().describe('Exactly this image.'),
  tag: tagSchema.optional().describe('Followed: resolved to a digest whenever it moves.'),
  semver: rangeSchema.optional().describe('Followed: the tag with the newest version in the range.'),
  minimumAge: durationSchema
    .optional()
    .describe('With tag or semver: how old a digest must be before it is taken; default 0.'),
  from: followedFleetSchema.optional().describe('What another fleet has proven; without repository.'),
  verify: verifySchema
    .optional()
    .describe(
      'Whose signature an image must have to be granted; default none. With from, that of the fleet followed.',
    ),
  lint: oneOf(['Enforce', 'Warn', 'Off'])
    .optional()
    .describe('Whether hosts check that an image can be booted and updated before staging it; default Off.'),
}).transform((written, context) => {
  const [reference, ...others] = referencesOf(written)
  if (reference === undefined || others.length > 0) {
    const found = ways.filter((way) => written[way] !== undefined).join(' and ')
    const message = `exactly one of digest, tag, semver and from is needed, found ${found || 'none'}`
    complain(context, { input: written, message })
    return z.NEVER
  }
  const flawed = flawOf(reference, written)
  if (flawed !== null) {
    complain(context, { input: written, ...flawed })
    return z.NEVER
  }
  return { reference, verify: written.verify, lint: written.lint }
})

type Written = Pick<WrittenImage<string>, 'repository' | 'digest' | 'tag' | 'semver'> & {
  readonly minimumAge?: number | undefined
  readonly from?: { readonly fleet: string; readonly succeededFor?: number | undefined } | undefined
}

/** One for each way in which an image is written. */
function referencesOf(written: Written): readonly ImageReference[] {
  const { repository = '', digest, tag, semver, minimumAge: minimumAgeMs = 0, from } = written
  const references: ImageReference[] = []
  if (digest !== undefined) references.push({ kind: 'digest', repository, digest })
  if (tag !== undefined) references.push({ kind: 'tag', repository, tag, minimumAgeMs })
  if (semver !== undefined) references.push({ kind: 'semver', repository, range: semver, minimumAgeMs })
  if (from !== undefined) {
    references.push({ kind: 'fleet', fleet: from.fleet, succeededForMs: from.succeededFor ?? 0 })
  }
  return references
}

type WrittenImage<Value = unknown> = {
  readonly [Field in 'repository' | 'minimumAge' | 'verify' | (typeof ways)[number]]?: Value | undefined
}
const ways = ['digest', 'tag', 'semver', 'from'] as const

function flawOf(
  { kind }: ImageReference,
  written: WrittenImage,
): { readonly message: string; readonly path?: PropertyKey[] } | null {
  if (kind === 'fleet' && written.repository !== undefined) {
    return { message: 'is that of the fleet that is followed: remove it', path: ['repository'] }
  }
  if (kind === 'fleet' && written.verify !== undefined) {
    return { message: 'is that of the fleet that is followed: remove it', path: ['verify'] }
  }
  if (kind !== 'fleet' && written.repository === undefined) {
    return { message: 'is required', path: ['repository'] }
  }
  if (written.minimumAge === undefined || kind === 'tag' || kind === 'semver') return null
  const instead = kind === 'fleet' ? '; write from.succeededFor' : ''
  return { message: `has a meaning only with tag or semver${instead}`, path: ['minimumAge'] }
}

const barrierSchema = closed({
  from: word(
    /^< ?v?\d{1,15}(?:\.\d{1,15}){0,7}(?:-[0-9A-Za-z.-]{1,64})?$/,
    'is not "<" and a version (for example "<42.0.0")',
  ).describe('Hosts below this version go through `via` first.'),
  via: digestSchema.describe('In the repository of the image.'),
  reason: reasonSchema,
}).transform(({ from, via, reason }): Barrier => ({
  below: from.slice(1).trim(),
  digest: via,
  reason,
}))

const requiresSchema = listOf(barrierSchema, 16).check((context) =>
  refuseTwice(context, { keyOf: ({ below }) => `<${below}`, field: 'from', what: 'barrier' }),
)

const denySchema = listOf(closed({ digest: digestSchema, reason: reasonSchema }), 64).check((context) =>
  refuseTwice(context, { keyOf: ({ digest }) => digest, field: 'digest', what: 'denial of' }),
)

export const fleetSchema = manifestOf(
  'Fleet',
  closed({
    selector: fleetSelectorSchema.describe('Which hosts belong to the fleet. Every host is { all: true }.'),
    image: imageSchema,
    requires: requiresSchema.optional().describe('Barriers that older hosts must go through; default none.'),
    downgrade: oneOf(['Deny', 'Allow'])
      .optional()
      .describe('Whether a host may go to a lower version, by the label of its image; default Deny.'),
    deny: denySchema.optional().describe('Digests that are never granted; default none.'),
    strategy: nameSchema.optional().describe(`Name of a RolloutStrategy; default "${builtInStrategyName}".`),
    suspend: flag().optional().describe('Grant nothing new; default false.'),
  }),
)
