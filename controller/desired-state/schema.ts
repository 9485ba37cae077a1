import { fleetSchema } from './fleet-schema.ts'
import { freezeSchema, hostSchema } from './host-schema.ts'
import { rolloutStrategySchema } from './strategy-schema.ts'

/** By kind, all that may be written. */
export const manifestSchemas = {
  Fleet: fleetSchema,
  RolloutStrategy: rolloutStrategySchema,
  Host: hostSchema,
  Freeze: freezeSchema,
} as const
