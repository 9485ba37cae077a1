import * as z from 'zod'
import type { State } from './update/types.ts'

const HealthPolicy = z.strictObject({
  /** Plans that agents took before these were known; greenboot and the network were not looked at. */
  units: z.array(z.string()).default([]),
  http: z.array(z.strictObject({ url: z.string() })).default([]),
  checks: z.array(z.string()),
  greenboot: z.boolean().default(false),
  reachController: z.boolean().default(false),
  stableForMs: z.int(),
  deadlineMs: z.int(),
})
const Grant = z.int().nullable()
const Guard = z.strictObject({
  permits: z.array(
    z.strictObject({
      repository: z.string(),
      untilMs: z.int(),
      image: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('Digest'), digest: z.string() }),
        z.strictObject({ kind: z.literal('LowestVersion'), version: z.string() }),
      ]),
    }),
  ),
  refused: z.array(z.string()),
})
export const Floors = z.array(
  z.strictObject({ manifestDigest: z.string(), version: z.string(), rollout: z.string() }),
)
export const AcceptedPlan = z.strictObject({
  payloadSha256: z.string(),
  fleet: z.string(),
  rollout: z.string(),
  generation: z.int(),
  attempt: z.int(),
  term: z.int(),
  counter: z.int(),
  issuedAtMs: z.int(),
  image: z.strictObject({
    repository: z.string(),
    digest: z.string(),
    manifestDigest: z.string(),
    version: z.string(),
  }),
  stageUntilMs: Grant,
  activateUntilMs: Grant,
  health: HealthPolicy,
  limits: z.strictObject({ maxReboots: z.int(), maxBytes: z.int() }),
  deny: z.array(z.string()),
  allow: z.array(z.string()).exactOptional(),
  lint: z.enum(['Enforce', 'Warn']).exactOptional(),
  guard: Guard.exactOptional(),
  resumed: z.string().exactOptional(),
  kernelArguments: z.array(z.string()).exactOptional(),
})
const FailedChecks = z.array(z.strictObject({ name: z.string(), detail: z.string() }))
const Failure = z.strictObject({
  code: z.string(),
  message: z.string(),
  failedChecks: FailedChecks,
  evidence: z.array(z.string()),
})
const Commit = z.strictObject({
  targetDeploymentId: z.string(),
  previousDeploymentId: z.string(),
  bootId: z.string(),
  rebootsUsed: z.int(),
  reachableAtMs: z.int().nullable(),
  sameImage: z.literal(true).exactOptional(),
})
const Retry = z.strictObject({ failures: z.int(), atMs: z.int().nullable() })
const Position = z.discriminatedUnion('phase', [
  z.strictObject({ phase: z.literal('Idle') }),
  z.strictObject({ phase: z.enum(['Downloading', 'Staging']), plan: AcceptedPlan, retry: Retry }),
  z.strictObject({ phase: z.literal('Ready'), plan: AcceptedPlan }),
  z.strictObject({ phase: z.literal('Staged'), plan: AcceptedPlan, targetDeploymentId: z.string() }),
  z.strictObject({
    phase: z.enum(['Activating', 'Rebooting']),
    plan: AcceptedPlan,
    commit: Commit,
    retry: Retry,
  }),
  z.strictObject({
    phase: z.literal('Verifying'),
    plan: AcceptedPlan,
    commit: Commit.nullable(),
    deadlineAtMs: z.int(),
  }),
  z.strictObject({
    phase: z.literal('RollingBack'),
    plan: AcceptedPlan,
    commit: Commit,
    failure: Failure,
    retry: Retry,
  }),
  z.strictObject({ phase: z.literal('Blessing'), plan: AcceptedPlan, commit: Commit, retry: Retry }),
  z.strictObject({
    phase: z.literal('Judging'),
    plan: AcceptedPlan,
    failure: Failure,
    deadlineAtMs: z.int(),
  }),
  z.strictObject({ phase: z.literal('Healthy'), plan: AcceptedPlan }),
  z.strictObject({ phase: z.literal('Failed'), plan: AcceptedPlan, failure: Failure }),
  z.strictObject({
    phase: z.literal('RolledBack'),
    plan: AcceptedPlan,
    failure: Failure,
    running: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.enum(['Unknown', 'Passed']) }),
      z.strictObject({ kind: z.literal('Failed'), failedChecks: FailedChecks }),
    ]),
  }),
])
const Deployment = z
  .strictObject({
    deploymentId: z.string(),
    digest: z.string().nullable(),
    manifestDigest: z.string().nullable(),
    kernelArguments: z.array(z.string()).exactOptional(),
  })
  .nullable()
const LocalMove = z.strictObject({
  id: z.string(),
  user: z.string(),
  command: z.string(),
  atMs: z.int(),
  digest: z.string().nullable(),
})
export const StateDocument: z.ZodType<State> = z.strictObject({
  version: z.literal(1),
  accepted: AcceptedPlan.nullable(),
  at: Position,
  phaseEnteredAtMs: z.int(),
  booted: z.strictObject({ bootId: z.string(), current: Deployment, default: Deployment }),
  proven: z
    .strictObject({
      manifestDigest: z.string(),
      health: HealthPolicy,
      failedLater: z.literal(true).exactOptional(),
    })
    .nullable(),
  reachableAtMs: z.int().nullable(),
  etcConflicts: z.array(z.string()),
  lintFindings: z.array(z.string()).exactOptional(),
  floors: Floors.exactOptional(),
  moved: LocalMove.exactOptional(),
  firstMove: z.string().exactOptional(),
  deniedDigests: z.array(z.string()),
  operation: z.int(),
})
