import * as z from 'zod'
import { fleetSchema, rolloutStrategySchema } from './schema.ts'

/** For editors: what may be written, from the same schemas that judge it. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const documents = z.union([
    fleetSchema.meta({ id: 'Fleet' }),
    rolloutStrategySchema.meta({ id: 'RolloutStrategy' }),
  ])
  const generated = z.toJSONSchema(documents, { target: 'draft-7', io: 'input' })
  return { ...generated, $id: 'https://bootfleet.dev/schema/v1alpha1.json', title: 'bootfleet desired state' }
}
