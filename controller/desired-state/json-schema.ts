import * as z from 'zod'
import { manifestSchemas } from './schema.ts'

/** For editors: what may be written, from the same schemas that judge it. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const { Fleet, Freeze, Host, RolloutStrategy } = manifestSchemas
  const documents = z.union([
    Fleet.meta({ id: 'Fleet' }),
    RolloutStrategy.meta({ id: 'RolloutStrategy' }),
    Host.meta({ id: 'Host' }),
    Freeze.meta({ id: 'Freeze' }),
  ])
  const generated = z.toJSONSchema(documents, { target: 'draft-7', io: 'input' })
  return { ...generated, $id: 'https://bootfleet.dev/schema/v1alpha1.json', title: 'bootfleet desired state' }
}
