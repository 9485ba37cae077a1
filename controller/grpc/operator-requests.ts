import * as z from 'zod'
import { labelKeyPattern, labelValuePattern } from '../desired-state/label-selector.ts'
import type { Selector } from '../desired-state/types.ts'
import { ControllerError } from '../errors.ts'

export type EnrolmentRequest = {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Empty from a host that has none. */
  readonly natsUserPublicKey: string
  /** 0: the certificate lives as long as every other. */
  readonly joinWithinMs: number
}

const LABELS_MAX = 64
const JOIN_WITHIN_MAX_MS = 90 * 24 * 60 * 60 * 1000
const REASON_LENGTH_MAX = 500

export const HostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'it is no host name: 1 to 63 of a-z, 0-9, "-" and "."')

export const Labels = z
  .record(
    z.string().regex(labelKeyPattern, 'it is no label key'),
    z.string().regex(labelValuePattern, 'it is no label value'),
  )
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `a host has at most ${LABELS_MAX} labels`)

const Enrolment = z.object({
  certificateRequestPem: z.string().min(1),
  name: HostName,
  labels: Labels,
  natsUserPublicKey: z.string().max(128),
  joinWithinMs: z
    .bigint()
    .transform(Number)
    .refine((ms) => ms >= 0 && ms <= JOIN_WITHIN_MAX_MS, 'a host joins within 90 days at most'),
})

/** @throws ControllerError RequestInvalid. */
export function enrolmentFromWire(request: {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly natsUserPublicKey: string
  readonly joinWithinMs: bigint
}): EnrolmentRequest {
  return parsed('enrolling a host', Enrolment, request)
}

const LabelTerms = z
  .array(
    z.object({
      key: z.string().regex(labelKeyPattern, 'it is no label key'),
      operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
      values: z.array(z.string().regex(labelValuePattern, 'it is no label value')).max(LABELS_MAX),
    }),
  )
  .max(LABELS_MAX)

/** @throws ControllerError RequestInvalid. */
export function selectorFromWire(terms: readonly unknown[]): Selector {
  const expressions = parsed('choosing hosts by labels', LabelTerms, terms)
  return expressions.length === 0 ? { kind: 'all' } : { kind: 'match', labels: {}, expressions }
}

/** @throws ControllerError RequestInvalid naming the first field that is wrong. */
export function parsed<Value>(doing: string, schema: z.ZodType<Value>, request: unknown): Value {
  const found = schema.safeParse(request)
  if (found.success) return found.data
  const [issue] = found.error.issues
  const field = issue?.path.map(String).join('.') ?? ''
  throw new ControllerError('RequestInvalid', `${doing}: ${field}: ${issue?.message ?? 'it cannot be taken'}`)
}

/** Written into records and shown on terminals. */
export function reasonFromWire(reason: string): string {
  return reason
    .replaceAll(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, REASON_LENGTH_MAX)
}

/** @throws ControllerError RequestInvalid: what others find denied must say why, whoever asked for it. */
export function requiredReason(doing: string, reason: string): string {
  const given = reasonFromWire(reason)
  if (given !== '') return given
  throw new ControllerError(
    'RequestInvalid',
    `${doing}: it says no reason, and whoever finds it needs one; give one`,
  )
}
