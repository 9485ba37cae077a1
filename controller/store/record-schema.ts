import * as z from 'zod'
import type {
  EnrolmentRecord,
  FleetRecord,
  GrantRecord,
  HostRecord,
  RolloutRecord,
} from '../rollout/types.ts'

/** What the store gives back is parsed like any other input: another version or a damaged disk wrote it. */

const count = z.int().nonnegative()
const Amount = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('count'), count }),
  z.object({ kind: z.literal('percent'), percent: count }),
])
const Image = z.object({
  repository: z.string(),
  digest: z.string(),
  version: z.string(),
  manifests: z.record(z.string(), z.string()),
})
const Stable = z.object({ revision: z.string(), rolloutId: z.string(), image: Image })

export const Fleet: z.ZodType<FleetRecord> = z.object({
  fleet: z.string(),
  generation: count,
  stable: Stable.nullable(),
  denied: z.array(z.object({ digest: z.string(), reason: z.string(), atMs: z.number() })),
  rolloutId: z.string().nullable(),
})

const atMs = z.number()
const cause = z.string()
const message = z.string()
const PauseCause = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('User'), actor: z.string(), reason: z.string(), atMs }),
  z.object({ kind: z.literal('Failure'), message, atMs }),
  z.object({ kind: z.literal('Unreachable'), message, atMs }),
  z.object({ kind: z.literal('Deadline'), message, atMs }),
])
const State = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('Progressing') }),
  z.object({ kind: z.literal('Paused'), cause: PauseCause }),
  z.object({ kind: z.literal('RollingBack'), cause }),
  z.object({ kind: z.literal('Succeeded'), atMs }),
  z.object({ kind: z.literal('RolledBack'), atMs, cause }),
  z.object({ kind: z.literal('RollbackFailed'), atMs, cause }),
  z.object({ kind: z.literal('Superseded'), atMs, by: z.string() }),
])
const Wave = z.object({
  name: z.string(),
  state: z.enum(['Pending', 'Running', 'Soaking', 'Succeeded', 'Skipped', 'Failed', 'Cancelled']),
  size: count,
  lastOrderKey: z.string(),
  soakMs: z.number(),
  soakedMs: z.number(),
  ranMs: z.number(),
  failureLimit: z.object({ max: Amount, minAttempted: count }),
  onFailure: z.enum(['Pause', 'Rollback']),
})

export const Rollout: z.ZodType<RolloutRecord> = z.object({
  id: z.string(),
  fleet: z.string(),
  generation: count,
  revision: z.string(),
  commit: z.string(),
  image: Image,
  from: Stable.nullable(),
  startedAtMs: z.number(),
  populationSize: count,
  strategy: z.object({
    maxUnavailable: Amount,
    deadlines: z.object({
      downloadMs: z.number(),
      activateMs: z.number(),
      healthMs: z.number(),
      waveMs: z.number(),
    }),
    health: z.object({ checks: z.array(z.string()), stableForMs: z.number() }),
  }),
  waves: z.array(Wave),
  state: State,
  term: count,
})

export const Grant: z.ZodType<GrantRecord> = z.object({
  rolloutId: z.string(),
  hostId: z.string(),
  generation: count,
  attempt: count,
  direction: z.enum(['Forward', 'Back']),
  stageUntilMs: z.number().nullable(),
  activateUntilMs: z.number().nullable(),
  bootIdBefore: z.string().nullable(),
  /** Grants of controllers before it was known. */
  brokenBefore: z.boolean().default(false),
  endBy: z.number().nullable(),
  phase: z.enum([
    'Pending',
    'Granted',
    'Downloading',
    'Staged',
    'AwaitingSlot',
    'Activating',
    'Rebooting',
    'Verifying',
    'Succeeded',
    'RollingBack',
    'Failed',
    'Rejected',
    'RolledBack',
    'TimedOut',
    'Skipped',
    'Superseded',
    'Cancelled',
    'Removed',
  ]),
  message: z.string(),
  grantedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
})

export const Host: z.ZodType<HostRecord> = z.object({
  hostId: z.string(),
  receivedAtMs: z.number(),
  report: z.object({
    plan: z
      .object({ rollout: z.string(), generation: count, attempt: count, term: count, counter: count })
      .nullable(),
    phase: z.enum([
      'Idle',
      'Downloading',
      'Ready',
      'Staging',
      'Staged',
      'Activating',
      'Rebooting',
      'Verifying',
      'Healthy',
      'Failed',
      'RollingBack',
      'RolledBack',
    ]),
    bootedDigest: z.string().nullable(),
    bootedManifestDigest: z.string().nullable(),
    targetDigest: z.string().nullable(),
    bootId: z.string(),
    health: z.object({
      verdict: z.enum(['Unknown', 'Passed', 'Failed']),
      failedChecks: z.array(z.object({ name: z.string(), detail: z.string() })),
    }),
    failure: z.object({ code: z.string(), message: z.string() }).nullable(),
    architecture: z.string(),
    deniedDigests: z.array(z.string()),
    phaseEnteredAtMs: z.number(),
  }),
})

export const Enrolment: z.ZodType<EnrolmentRecord> = z.object({
  hostId: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  enrolledAtMs: z.number(),
})
