import * as z from 'zod'
import { labelKeyPattern, labelValuePattern } from '../desired-state/label-selector.ts'
import { ControllerError } from '../errors.ts'

export type EnrolmentRequest = {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

const LABELS_MAX = 64
const REASON_LENGTH_MAX = 500

const Enrolment = z.object({
  certificateRequestPem: z.string().min(1),
  name: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'it is no host name: 1 to 63 of a-z, 0-9, "-" and "."'),
  labels: z
    .record(
      z.string().regex(labelKeyPattern, 'it is no label key'),
      z.string().regex(labelValuePattern, 'it is no label value'),
    )
    .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `a host has at most ${LABELS_MAX} labels`),
})

/** @throws ControllerError RequestInvalid. */
export function enrolmentFromWire(request: {
  readonly certificateRequestPem: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}): EnrolmentRequest {
  const parsed = Enrolment.safeParse(request)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.map(String).join('.') ?? ''
  throw new ControllerError(
    'RequestInvalid',
    `enrolling a host: ${field}: ${issue?.message ?? 'it cannot be taken'}`,
  )
}

/** Written into records and shown on terminals. */
export function reasonFromWire(reason: string): string {
  return reason
    .replaceAll(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, REASON_LENGTH_MAX)
}
