import * as z from 'zod'
import type { RolloutRecord } from '../rollout/records.ts'
import { Amount, Image, Log, Stable, atMs, count } from './stored-parts.ts'
import { Analysis, Retry, Rollback, WantedHealth, anyRollback } from './stored-strategy.ts'
import { Wave } from './stored-waves.ts'

const cause = z.string()

const message = z.string()

const PauseCause = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('User'), actor: z.string(), reason: z.string(), atMs }),
  z.object({ kind: z.literal('Failure'), message, atMs }),
  z.object({ kind: z.literal('Approval'), message, atMs }),
  z.object({ kind: z.literal('Inconclusive'), message, atMs }),
  z.object({ kind: z.literal('Unreachable'), message, atMs }),
  z.object({ kind: z.literal('Deadline'), message, atMs }),
])

const State = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('Progressing') }),
  z.object({ kind: z.literal('Paused'), cause: PauseCause }),
  z.object({ kind: z.literal('RollingBack'), cause }),
  z.object({ kind: z.literal('Succeeded'), atMs }),
  z.object({ kind: z.literal('Aborted'), atMs, actor: z.string(), reason: z.string() }),
  z.object({ kind: z.literal('RolledBack'), atMs, cause }),
  z.object({ kind: z.literal('RollbackFailed'), atMs, cause }),
  z.object({ kind: z.literal('Superseded'), atMs, by: z.string() }),
])

const Permit = z.object({
  repository: z.string(),
  hosts: z.array(z.string()).nullable(),
  image: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('Digest'), digest: z.string() }),
    z.object({ kind: z.literal('LowestVersion'), version: z.string() }),
  ]),
  envelope: z.string(),
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
    health: WantedHealth,
    analysis: z.array(Analysis).default([]),
    rollback: Rollback.default(anyRollback),
    retry: Retry.default({ limit: 0, on: [], backoff: { baseMs: 0, factor: 1, maxMs: 0 } }),
  }),
  lint: z.enum(['Enforce', 'Warn', 'Off']).exactOptional(),
  permits: z.array(Permit).exactOptional(),
  waves: z.array(Wave),
  state: State,
  log: Log.default([]),
  term: count,
})
