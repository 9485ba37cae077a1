import * as z from 'zod'
import type { EnrolmentRecord, HostRecord } from '../rollout/records.ts'
import { count } from './stored-parts.ts'

const PlanReference = z.object({
  rollout: z.string(),
  generation: count,
  attempt: count,
  term: count,
  counter: count,
})

export const Host: z.ZodType<HostRecord> = z.object({
  hostId: z.string(),
  receivedAtMs: z.number(),
  running: z.object({ sinceMs: z.number(), before: z.string().nullable() }).optional(),
  resumed: z
    .object({ moveId: z.string(), actor: z.string(), reason: z.string(), atMs: z.number() })
    .optional(),
  report: z.object({
    plan: PlanReference.nullable(),
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
    bootedVersion: z.string().default(''),
    defaultDigest: z.string().nullable().default(null),
    targetDigest: z.string().nullable(),
    bootId: z.string(),
    health: z.object({
      verdict: z.enum(['Unknown', 'Passed', 'Failed']),
      failedChecks: z.array(z.object({ name: z.string(), detail: z.string() })),
    }),
    /** Neither evidence nor conflicts nor what boots next is in reports of controllers before they were known. */
    failure: z
      .object({ code: z.string(), message: z.string(), evidence: z.array(z.string()).default([]) })
      .nullable(),
    architecture: z.string(),
    deniedDigests: z.array(z.string()),
    etcConflicts: z.array(z.string()).default([]),
    kernelArguments: z.array(z.string()).exactOptional(),
    kernelLine: z.array(z.object({ argument: z.string(), source: z.string() })).exactOptional(),
    etcChanges: z
      .object({
        changes: z.array(z.object({ path: z.string(), kind: z.string() })),
        more: z.number(),
        takenAtMs: z.number(),
        problem: z.string(),
      })
      .exactOptional(),
    phaseEnteredAtMs: z.number(),
    refused: z.object({ plan: PlanReference, code: z.string(), message: z.string() }).exactOptional(),
    plansStaleSinceMs: z.number().exactOptional(),
    unguarded: z.literal(true).exactOptional(),
    keysKept: z.enum(['sealed', 'plain']).exactOptional(),
    localMove: z
      .object({
        id: z.string(),
        user: z.string(),
        command: z.string(),
        atMs: z.number(),
        digest: z.string().nullable(),
      })
      .exactOptional(),
    reportOnly: z
      .object({
        osId: z.string(),
        osVersion: z.string(),
        osName: z.string(),
        imageReference: z.string(),
        imageLabels: z.record(z.string(), z.string()),
      })
      .exactOptional(),
  }),
})

export const Enrolment: z.ZodType<EnrolmentRecord> = z.object({
  hostId: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  enrolledAtMs: z.number(),
  revoked: z.object({ atMs: z.number(), actor: z.string(), reason: z.string() }).optional(),
})
