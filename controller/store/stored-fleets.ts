import * as z from 'zod'
import type { EveryFleetRecord, FleetRecord } from '../rollout/records.ts'
import { Halt, Log, Stable, count } from './stored-parts.ts'

const Denied = z.object({
  digest: z.string(),
  reason: z.string(),
  atMs: z.number(),
  /** Controllers before it was known denied only after failures. */
  origin: z.enum(['Rollback', 'Operator', 'Git', 'Host']).default('Rollback'),
  actor: z.string().default(''),
})

export const EveryFleet: z.ZodType<EveryFleetRecord> = z.object({ halted: Halt.nullable(), log: Log })

export const Fleet: z.ZodType<FleetRecord> = z.object({
  fleet: z.string(),
  generation: count,
  stable: Stable.nullable(),
  denied: z.array(Denied),
  allowed: z.array(z.string()).default([]),
  halted: Halt.nullable().default(null),
  log: Log.default([]),
  rolloutId: z.string().nullable(),
})
